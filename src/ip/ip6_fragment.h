// SPDX-License-Identifier: Apache-2.0
// ip6-fragment: cuts this node's own packets into fragments of the output's MTU (packet.icmp_error.mtu_or_pointer).
// RFC 8200 section 4.5.
#pragma once
#include "ip/chain_copy.h"
#include "sluice/kernels/chain_length.h"
#include "sluice/kernels/finish_checksum.h"
#include "sluice/net/ip6.h"
#include "sluice/node.h"

namespace sluice {

struct Ip6Fragment {
  static constexpr NodeInfo kInfo{"ip6-fragment", "cuts this node's own packets into fragments of the output's MTU"};
  enum class Next : std::uint8_t { Ip6Rewrite };
  enum class Drop : std::uint8_t { MtuTooSmall, TooManyFragments, ShortHead, NoHeadroom, NoBuffers };
  enum class Count : std::uint8_t { Fragments };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    std::uint32_t mtu, length;
    std::uint16_t fragments;
    void describe(auto&& field) const {
      field("mtu", mtu);
      field("length", length);
      field("fragments", fragments);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::MtuTooSmall: return "the output's MTU has no room for the headers and eight bytes";
      case Drop::TooManyFragments: return "it would take more than 256 fragments";
      case Drop::ShortHead: return "the first segment holds less than the headers and eight bytes";
      case Drop::NoHeadroom: return "no room in front of the packet for a fragment header";
      case Drop::NoBuffers: return "the buffer pool is exhausted";
    }
    return "";
  }

  std::uint32_t next_id = 0;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace, Out<Ip6Fragment>& out) noexcept {
    if (packet.has(kChecksumPartial)) finish_checksum(packet);
    // This node sends no routing headers, so the part that each fragment repeats is the IPv6 header alone.
    constexpr std::size_t kRepeated = sizeof(Ip6Header), kHeaders = kRepeated + sizeof(Ip6FragmentHeader);
    const std::size_t mtu = std::min<std::size_t>(packet.icmp_error.mtu_or_pointer, kSegmentSize);
    if (mtu < kHeaders + 8) return Drop::MtuTooSmall;
    if (packet.length < kRepeated + 8) return Drop::ShortHead;
    if (packet.headroom() < sizeof(Ip6FragmentHeader)) return Drop::NoHeadroom;
    const Ip6Header original = *packet.header<Ip6Header>();
    const std::size_t step = (mtu - kHeaders) & ~std::size_t{7};
    const std::size_t body = packet.chain_length - kRepeated;
    const std::size_t first = std::min(step, (packet.length - kRepeated) & ~std::size_t{7});
    const std::size_t others = (body - first + step - 1) / step;
    std::array<Packet*, kVectorMax> fragments;
    if (others >= fragments.size()) return Drop::TooManyFragments;
    if (trace) *trace = {static_cast<std::uint32_t>(mtu), packet.chain_length, static_cast<std::uint16_t>(others + 1)};
    for (std::size_t i = 0; i < others; ++i) {
      fragments[i] = out.alloc(&packet);
      if (fragments[i]) continue;
      while (i-- > 0) out.discard(*fragments[i]);
      return Drop::NoBuffers;
    }
    // Not guessable from what other flows see (RFC 7739).
    const auto id = be32(next_id++ * 0x9e3779b1u ^ static_cast<std::uint32_t>(worker.now()));
    for (std::size_t i = 0; i < others; ++i) {
      const std::size_t at = first + i * step, size = std::min(step, body - at);
      Packet& fragment = *fragments[i];
      copy_metadata(fragment, packet);
      fragment.trim(kHeaders + size);
      copy_chain(packet, kRepeated + at, size, fragment.data + kHeaders);
      write_headers(fragment, original, size, at, i + 1 < others, id);
      out.emit(fragment, Next::Ip6Rewrite);
    }
    cut_chain(packet, static_cast<std::uint32_t>(kRepeated + first), worker);
    packet.push(sizeof(Ip6FragmentHeader));
    packet.l3_offset = packet.offset();
    write_headers(packet, original, first, 0, others > 0, id);
    worker.count(Count::Fragments, others + 1);
    return Next::Ip6Rewrite;
  }

 private:
  static void write_headers(Packet& packet, const Ip6Header& original, std::size_t size, std::size_t at, bool more,
                            be32 id) noexcept {
    auto* header = packet.header<Ip6Header>();
    *header = original;
    header->payload_length = be16(static_cast<std::uint16_t>(sizeof(Ip6FragmentHeader) + size));
    header->next_header = kIpProtocolFragment;
    *packet.header<Ip6FragmentHeader>(sizeof(Ip6Header)) = {original.next_header, 0,
                                                            be16(static_cast<std::uint16_t>(at | (more ? 1 : 0))), id};
    packet.l4_offset = static_cast<std::uint16_t>(packet.offset() + sizeof(Ip6Header) + sizeof(Ip6FragmentHeader));
  }
};

}  // namespace sluice
