// SPDX-License-Identifier: Apache-2.0
// Packets of one worker that wait for a neighbour: bounded for each neighbour, in neighbours and in all. RFC 6583
// section 6: those of the neighbour asked for first make room, so that a scan of a subnet keeps nobody else waiting.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "sluice/clock.h"
#include "sluice/packet.h"
#include "sluice/worker.h"

namespace sluice {

template <class Address>
class WaitingPackets {
 public:
  static constexpr std::size_t kMaxNeighbors = 256, kMaxEach = 16, kMaxHeld = 1024;
  enum class Fate : std::uint8_t { Held, HeldAndAsk, QueueFull };

  WaitingPackets() : queues_(kMaxNeighbors) {}

  std::size_t held() const noexcept { return held_; }

  /// Each packet that makes room goes to push_out.
  template <class P>
  Fate add(Packet& packet, InterfaceIndex interface, const Address& address, std::uint64_t now, P&& push_out) noexcept {
    Queue* queue = find(interface, address);
    if (queue && queue->count == kMaxEach) return Fate::QueueFull;
    if (held_ == kMaxHeld || (!queue && used_ == kMaxNeighbors)) {
      make_room(push_out);
      queue = find(interface, address);
    }
    const bool fresh = !queue;
    if (fresh) {
      queue = &queues_[used_++];
      queue->interface = interface;
      queue->address = address;
      queue->count = 0;
      queue->since = queue->asked = now;
    }
    queue->packets[queue->count++] = &packet;
    ++held_;
    // The question may have been lost on its way to the control thread.
    const bool ask = fresh || now - queue->asked > ask_again_;
    if (ask) queue->asked = now;
    return ask ? Fate::HeldAndAsk : Fate::Held;
  }

  /// resolved(first packet of a queue) says whether they may look again; each packet of such a queue goes to again,
  /// each of one that waited too long to give_up.
  template <class R, class A, class G>
  void release(std::uint64_t now, R&& resolved, A&& again, G&& give_up) noexcept {
    for (std::size_t i = 0; i < used_;) {
      Queue& queue = queues_[i];
      const bool late = now - queue.since > timeout_;
      if (!late && !resolved(*queue.packets[0])) {
        ++i;
        continue;
      }
      for (std::uint16_t p = 0; p < queue.count; ++p) late ? give_up(*queue.packets[p]) : again(*queue.packets[p]);
      remove(queue);
    }
  }

  void flush(Worker& worker) noexcept {
    for (std::size_t i = 0; i < used_; ++i) {
      for (std::uint16_t p = 0; p < queues_[i].count; ++p) worker.buffers().free(queues_[i].packets[p]);
    }
    used_ = held_ = 0;
  }

 private:
  struct Queue {
    InterfaceIndex interface;
    Address address;
    std::uint16_t count = 0;
    std::uint64_t since = 0, asked = 0;
    std::array<Packet*, kMaxEach> packets;
  };

  Queue* find(InterfaceIndex interface, const Address& address) noexcept {
    for (std::size_t i = 0; i < used_; ++i) {
      if (queues_[i].interface == interface && queues_[i].address == address) return &queues_[i];
    }
    return nullptr;
  }

  void remove(Queue& queue) noexcept {
    held_ -= queue.count;
    queue = queues_[--used_];
  }

  template <class P>
  void make_room(P&& push_out) noexcept {
    Queue* oldest = &queues_[0];
    for (std::size_t i = 1; i < used_; ++i) {
      if (queues_[i].since < oldest->since) oldest = &queues_[i];
    }
    for (std::uint16_t p = 0; p < oldest->count; ++p) push_out(*oldest->packets[p]);
    remove(*oldest);
  }

  const std::uint64_t timeout_ = ns_to_tsc(5'000'000'000), ask_again_ = ns_to_tsc(1'000'000'000);
  std::vector<Queue> queues_;  // the first used_ are taken
  std::size_t used_ = 0, held_ = 0;
};

}  // namespace sluice
