// SPDX-License-Identifier: Apache-2.0
// gro: merges packets of one vector that follow each other in their flow into super-packets, for outputs that take
// those: one system call and one way through the receiver's stack instead of many. A batch kernel, because what becomes
// of a packet depends on those before it; its oracle is our own segmentation (gro_test.cc).
//
// A packet is never put before one that was in front of it in its flow, and nothing waits for the next vector.
#pragma once
#include <array>
#include <bit>

#include "interface/gro_merge.h"
#include "sluice/node.h"

namespace sluice {

struct Gro {
  static constexpr NodeInfo kInfo{"gro", "merges packets of a flow into super-packets for who takes them"};
  static constexpr FeatureInfo kFeature{.arc = "interface-output"};
  enum class Next : std::uint8_t { Continue };
  enum class Drop : std::uint8_t {};
  enum class Count : std::uint8_t { SuperPackets, Merged };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    std::uint32_t length, grown_to;
    bool merged;
    void describe(auto&& field) const {
      field("length", length);
      if (grown_to) field("grown-to", grown_to);
      if (merged) field("merged", "into the packet before");
    }
  };

  /// A super-packet that grows, or a packet that may become one.
  struct Open {
    Packet* head = nullptr;
    Packet* last = nullptr;  ///< of its buffers
    std::uint32_t buffers = 0;
    std::uint32_t packets = 0;
    bool checked = false;     ///< its checksum
    std::uint16_t place = 0;  ///< in the vector
    GroView view;
  };
  /// Flows that grow at the same time, at most; one more ends the growth of the one whose place it takes.
  static constexpr std::size_t kFlows = 64;

  std::array<Open, kFlows> open{};
  std::uint64_t used = 0;  ///< a bit for each place where a flow has begun in this vector

  void operator()(Batch<Gro>& batch, Worker& worker) noexcept {
    const std::size_t n = batch.packets.size();
    for (std::size_t i = 0; i < n; ++i) {
      batch.set(i, Next::Continue);
      if (Trace* trace = batch.trace(i)) *trace = {batch.packets[i]->chain_length, 0, false};
    }
    if (n == 1) return;
    const InterfaceState* out = nullptr;
    InterfaceIndex index;
    for (std::size_t i = 0; i < n; ++i) {
      Packet& packet = *batch.packets[i];
      if (i + 4 < n) prefetch(batch.packets[i + 4]);
      if (packet.tx_interface != index || i == 0) out = worker.interface(index = packet.tx_interface);
      if (!out) continue;
      const GroView view = gro::look(packet, out->link, out->offloads);
      if (view.kind == GroView::Kind::Foreign) continue;
      if (view.kind == GroView::Kind::Unclear) {
        close_all(batch, worker);
      } else if (take(packet, view, i, batch, worker)) {
        batch.set(i, Hold);
        if (Trace* trace = batch.trace(i)) trace->merged = true;
      }
    }
    close_all(batch, worker);
  }

 private:
  // True: the packet is part of an earlier one now.
  bool take(Packet& packet, const GroView& view, std::size_t place, Batch<Gro>& batch, Worker& worker) noexcept {
    const std::size_t slot = view.hash % kFlows;
    Open& flow = open[slot];
    if (flow.head) {
      const bool same = view.kind == GroView::Kind::Mergeable && gro::same_flow(*flow.head, flow.view, packet, view);
      if (same && append(flow, packet, view)) return true;
      close(flow, batch, worker);
    }
    if (view.kind == GroView::Kind::Mergeable) {
      used |= std::uint64_t{1} << slot;
      flow.head = &packet;
      flow.last = nullptr;
      flow.packets = 1;
      flow.checked = false;
      flow.place = static_cast<std::uint16_t>(place);
      flow.view = view;
    }
    return false;
  }

  static bool append(Open& flow, Packet& packet, const GroView& view) noexcept {
    if (!gro::follows(*flow.head, flow.view, packet, view)) return false;
    if (!flow.last) measure(flow, *flow.head);
    Open more;
    measure(more, packet);
    if (flow.buffers + more.buffers > gro::kChainMax) return false;
    if (!flow.checked && !gro::checksum_good(*flow.head, flow.view)) return false;
    flow.checked = true;
    if (!gro::checksum_good(packet, view)) return false;
    if (view.tcp) {
      gro::at<TcpHeader>(*flow.head, view.l4).flags |=
          static_cast<std::uint8_t>(gro::at<TcpHeader>(packet, view.l4).flags & gro::kLastOnly);
    }
    packet.pull(view.headers);
    packet.flags = 0;
    flow.last->next_segment = &packet;
    flow.last = more.last;
    flow.buffers += more.buffers;
    flow.head->chain_length += view.payload;
    flow.view.payload += view.payload;
    ++flow.packets;
    return true;
  }

  static void measure(Open& flow, Packet& packet) noexcept {
    flow.buffers = 1;
    for (flow.last = &packet; flow.last->next_segment; flow.last = flow.last->next_segment) ++flow.buffers;
  }

  static void close(Open& flow, Batch<Gro>& batch, Worker& worker) noexcept {
    if (flow.head && flow.packets > 1) {
      gro::finish(*flow.head, flow.view);
      worker.count(Count::SuperPackets);
      worker.count(Count::Merged, flow.packets);
      if (Trace* trace = batch.trace(flow.place)) trace->grown_to = flow.head->chain_length;
    }
    flow.head = nullptr;
  }

  void close_all(Batch<Gro>& batch, Worker& worker) noexcept {
    for (; used != 0; used &= used - 1) close(open[static_cast<std::size_t>(std::countr_zero(used))], batch, worker);
  }
};

}  // namespace sluice
