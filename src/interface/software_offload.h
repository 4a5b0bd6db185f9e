// SPDX-License-Identifier: Apache-2.0
// software-offload: cuts super-packets and makes checksums for outputs that do not do it themselves. Every packet is
// emitted, so that segments and packets behind them keep their order.
#pragma once
#include <algorithm>

#include "interface/segment_layout.h"
#include "sluice/kernels/finish_checksum.h"
#include "sluice/node.h"

namespace sluice {

struct SoftwareOffload {
  static constexpr NodeInfo kInfo{"software-offload",
                                  "cuts super-packets and makes checksums that the device does not"};
  enum class Next : std::uint8_t { Device };
  enum class Drop : std::uint8_t { NoInterface, BadHeaders, NoBuffers };
  enum class Count : std::uint8_t { SuperPackets, Segments, Checksums };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex interface;
    std::uint32_t length;
    std::uint16_t segment_size, segments;
    bool checksum;
    void describe(auto&& field) const {
      field("interface", interface);
      field("length", length);
      if (segments) field("segments", segments);
      if (segments) field("segment-size", segment_size);
      if (checksum) field("checksum", "made");
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::NoInterface: return "the output interface was deleted while the packet was on its way";
      case Drop::BadHeaders: return "the headers are not what the packet's segmentation or checksum request says";
      case Drop::NoBuffers: return "no buffers for all segments of a super-packet; show buffers";
    }
    return "";
  }

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace, Out<SoftwareOffload>& out) const noexcept {
    const InterfaceState* interface = worker.interface(packet.tx_interface);
    if (!interface) return Drop::NoInterface;
    const bool checksums = !interface->offloads.tx_checksum;
    if (trace) *trace = {packet.tx_interface, packet.chain_length, 0, 0, checksums && packet.has(kChecksumPartial)};
    if (!packet.has(kGso)) {
      if (packet.has(kChecksumPartial) && checksums) {
        if (!finish_checksum(packet)) return Drop::BadHeaders;
        worker.count(Count::Checksums);
      }
      out.emit(packet, Next::Device);
      return Hold;
    }
    SegmentLayout layout;
    if (!packet.has(kChecksumPartial) || !find_layout(packet, interface->link == LinkLayer::Ethernet, layout))
      return Drop::BadHeaders;
    const std::size_t made = cut(packet, layout, checksums, worker, out);
    worker.count(Count::SuperPackets);
    worker.count(Count::Segments, made);
    if (trace) {
      trace->segment_size = packet.gso_size;
      trace->segments = static_cast<std::uint16_t>(made);
    }
    if (made * packet.gso_size < packet.chain_length - layout.payload) return Drop::NoBuffers;
    worker.buffers().free(&packet);
    return Hold;
  }

 private:
  // A place in the payload of a chain.
  struct Cursor {
    const Packet* segment;
    std::size_t offset;
    void copy(std::byte* to, std::size_t n) noexcept {
      while (n > 0) {
        while (offset == segment->length) {
          segment = segment->next_segment;
          offset = 0;
        }
        const std::size_t here = std::min<std::size_t>(n, segment->length - offset);
        std::memcpy(to, segment->data + offset, here);
        to += here;
        offset += here;
        n -= here;
      }
    }
  };

  // Returns how many segments were emitted: all, unless buffers ran out.
  static std::size_t cut(const Packet& packet, const SegmentLayout& layout, bool checksums, Worker& worker,
                         Out<SoftwareOffload>& out) noexcept {
    const std::size_t total = packet.chain_length - layout.payload;
    Cursor from{&packet, layout.payload};
    std::size_t number = 0;
    for (std::size_t done = 0; done < total; ++number) {
      const std::size_t size = std::min<std::size_t>(packet.gso_size, total - done);
      Packet* segment = make_segment(packet, layout.payload, size, from, out);
      if (!segment) break;
      finish_headers(*segment, layout, number, done, done + size == total);
      segment->flags |= kChecksumPartial;
      segment->checksum_start = packet.checksum_start;
      segment->checksum_offset = packet.checksum_offset;
      if (checksums && finish_checksum(*segment)) worker.count(Count::Checksums);
      done += size;
      out.emit(*segment, Next::Device);
    }
    return number;
  }

  // Headers and size bytes of payload in buffers of their own, at the same offset as the original's.
  static Packet* make_segment(const Packet& packet, std::size_t headers, std::size_t size, Cursor& from,
                              Out<SoftwareOffload>& out) noexcept {
    Packet* head = out.alloc(&packet);
    if (!head) return nullptr;
    constexpr std::uint32_t kKept = kLocal | kBroadcast | kReassembled;
    head->flags |= packet.flags & kKept;
    head->rx_interface = packet.rx_interface;
    head->tx_interface = packet.tx_interface;
    head->l2_offset = packet.l2_offset;
    head->l3_offset = packet.l3_offset;
    head->l4_offset = packet.l4_offset;
    head->inner_l3_offset = packet.inner_l3_offset;
    head->inner_l4_offset = packet.inner_l4_offset;
    head->flow_hash = packet.flow_hash;
    head->table = packet.table;
    head->forwarding = packet.forwarding;
    head->feature_position = packet.feature_position;
    head->session = packet.session;
    head->data = head->storage() + packet.offset();
    std::memcpy(head->data, packet.data, headers);
    head->chain_length = static_cast<std::uint32_t>(headers + size);
    Packet* last = head;
    last->length = static_cast<std::uint16_t>(headers);
    while (true) {
      const std::size_t here = std::min(size, last->tailroom());
      from.copy(last->data + last->length, here);
      last->length = static_cast<std::uint16_t>(last->length + here);
      size -= here;
      if (size == 0) return head;
      last->next_segment = out.alloc();
      last = last->next_segment;
      if (!last) {
        out.discard(*head);
        return nullptr;
      }
    }
  }
};

}  // namespace sluice
