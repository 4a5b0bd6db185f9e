// SPDX-License-Identifier: Apache-2.0
// ip6-fragment: cuts this node's own packets into fragments of the output's MTU. RFC 8200 section 4.5.
#pragma once
#include "ip/fragment.h"
#include "sluice/net/ip6.h"

namespace sluice {

struct Ip6FragmentRules {
  enum class Next : std::uint8_t { Ip6Rewrite };
  enum class Drop : std::uint8_t { MtuTooSmall, TooManyFragments, ShortHead, NoHeadroom, NoBuffers };
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

  static constexpr Next kRewrite = Next::Ip6Rewrite;
  static constexpr std::size_t kAdded = sizeof(Ip6FragmentHeader);
  std::uint32_t next_id = 0;

  struct Headers {
    Ip6Header original;
    be32 id;

    static std::size_t later_bytes() noexcept { return sizeof(Ip6Header) + sizeof(Ip6FragmentHeader); }
    void write_later(Packet& fragment, std::size_t at, bool more) const noexcept {
      auto* header = fragment.header<Ip6Header>();
      *header = original;
      header->payload_length = be16(static_cast<std::uint16_t>(fragment.chain_length - sizeof(Ip6Header)));
      header->next_header = kIpProtocolFragment;
      *fragment.header<Ip6FragmentHeader>(sizeof(Ip6Header)) = {
          original.next_header, 0, be16(static_cast<std::uint16_t>(at | (more ? 1 : 0))), id};
    }
    void write_first(Packet& packet, bool more) const noexcept {
      packet.push(sizeof(Ip6FragmentHeader));
      packet.l3_offset = packet.offset();
      packet.l4_offset = static_cast<std::uint16_t>(packet.offset() + later_bytes());
      write_later(packet, 0, more);
    }
  };

  // This node sends no routing headers, so the part that each fragment repeats is the IPv6 header alone.
  static std::size_t repeated_bytes(const Packet&) noexcept { return sizeof(Ip6Header); }
  Headers headers_of(const Packet& packet, const Worker& worker) noexcept {
    // Not guessable from what other flows see (RFC 7739).
    return {*packet.header<Ip6Header>(), be32(next_id++ * 0x9e3779b1u ^ static_cast<std::uint32_t>(worker.now()))};
  }
};

struct Ip6Fragment : Fragment<Ip6FragmentRules> {
  static constexpr NodeInfo kInfo{"ip6-fragment", "cuts this node's own packets into fragments of the output's MTU"};
};

}  // namespace sluice
