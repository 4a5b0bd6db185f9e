// SPDX-License-Identifier: Apache-2.0
// NAME-output: gives packets to a driver's transmit queues. A batch kernel, because a queue takes a run of packets in
// one call (one system call, one doorbell).
#pragma once
#include <algorithm>

#include "sluice/node.h"

namespace sluice {

struct DeviceOutput {
  static constexpr NodeInfo kInfo{"device-output", "gives packets to a driver's transmit queues"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { NoInterface, InterfaceDown, TxFull, HandOffFull };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex interface;
    std::uint32_t length, worker;
    void describe(auto&& field) const {
      field("interface", interface);
      field("length", length);
      field("queue-of-worker", worker);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::NoInterface: return "the interface was deleted while the packet was on its way";
      case Drop::InterfaceDown: return "the output interface is down; set interface state NAME up";
      case Drop::TxFull: return "the device's transmit queue is full: the receiver is slower than the sender";
      case Drop::HandOffFull: return "the ring to the worker that owns the transmit queue is full";
    }
    return "";
  }

  void operator()(Batch<DeviceOutput>& batch, Worker& worker) const noexcept {
    for (std::size_t i = 0; i < batch.packets.size();) {
      const InterfaceIndex index = batch.packets[i]->tx_interface;
      std::size_t end = i;
      std::uint64_t bytes = 0;
      do bytes += batch.packets[end]->chain_length;
      while (++end < batch.packets.size() && batch.packets[end]->tx_interface == index);
      send(batch, worker, i, end, index, bytes);
      i = end;
    }
  }

 private:
  static std::uint64_t bytes_of(std::span<Packet* const> packets) noexcept {
    std::uint64_t bytes = 0;
    for (const Packet* packet : packets) bytes += packet->chain_length;
    return bytes;
  }
  static void send(Batch<DeviceOutput>& batch, Worker& worker, std::size_t begin, std::size_t end, InterfaceIndex index,
                   std::uint64_t bytes) noexcept {
    const InterfaceState* out = worker.interface(index);
    const auto& bindings = worker.tx().by_worker[worker.index()];
    const TxBinding binding = index.slot() < bindings.size() ? bindings[index.slot()] : TxBinding{};
    if (batch.traces) {
      for (std::size_t i = begin; i < end; ++i) {
        batch.traces[i] = {index, batch.packets[i]->chain_length, binding.worker};
      }
    }
    if (!out || !binding.queue || !out->up) {
      const Drop reason = !out || !binding.queue ? Drop::NoInterface : Drop::InterfaceDown;
      for (std::size_t i = begin; i < end; ++i) batch.set(i, reason);
      return;
    }
    if (binding.worker != worker.index()) {
      for (std::size_t i = begin; i < end; ++i) {
        const bool gone = worker.hand_off(binding.worker, out->output_node, batch.packets[i]);
        if (gone) {
          batch.codes[i] = kVerdictHold;
        } else {
          batch.set(i, Drop::HandOffFull);
        }
      }
      return;
    }
    // Those that the queue takes are not ours to look at any more.
    const auto packets = batch.packets.subspan(begin, end - begin);
    std::size_t taken = 0;
    if (worker.capturing()) [[unlikely]] {
      taken = worker.transmit_captured(*binding.queue, packets);
    } else {
      taken = binding.queue->transmit(worker, packets);
    }
    if (taken < packets.size()) bytes -= bytes_of(packets.subspan(taken));
    binding.queue->packets.add(taken);
    auto& counters = worker.counters(index);
    counters[InterfaceCounter::TxPackets].add(taken);
    counters[InterfaceCounter::TxBytes].add(bytes);
    std::fill_n(batch.codes + begin, taken, kVerdictHold);
    if (begin + taken < end) {
      binding.queue->full.add(end - begin - taken);
      counters[InterfaceCounter::TxError].add(end - begin - taken);
    }
    for (std::size_t i = begin + taken; i < end; ++i) batch.set(i, Drop::TxFull);
  }
};

}  // namespace sluice
