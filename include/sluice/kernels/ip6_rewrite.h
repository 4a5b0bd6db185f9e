// SPDX-License-Identifier: Apache-2.0
// ip6-rewrite: takes one from the hop limit, checks the MTU, and puts the adjacency's link-layer header in front.
// RFC 8200 sections 3 and 5, RFC 4443 sections 3.2 and 3.3.
#pragma once
#include <sluice/kernels/rewrite.h>
#include <sluice/net/icmp.h>
#include <sluice/net/ip6.h>

namespace sluice {

struct Ip6RewriteRules {
  using Header = Ip6Header;
  enum class Next : std::uint8_t { InterfaceOutput, Ip6Fragment, Ip6IcmpError };
  static constexpr Next kFragment = Next::Ip6Fragment, kIcmpError = Next::Ip6IcmpError;
  static constexpr IcmpErrorRequest kExpired{kIcmp6TimeExceeded, 0, 0, 0}, kTooLong{kIcmp6PacketTooBig, 0, 0, 0};
  static constexpr std::string_view kHopsLeft = "hop-limit";

  static std::uint8_t hops_left(const Ip6Header& ip) noexcept { return ip.hop_limit; }
  static void count_down(Ip6Header& ip) noexcept { --ip.hop_limit; }
  // RFC 8200 section 4.5: only a packet's source makes fragments of it.
  static bool may_fragment(const Packet& packet, const Ip6Header&) noexcept { return packet.has(kLocal); }
};

struct Ip6Rewrite : Rewrite<Ip6RewriteRules> {
  static constexpr NodeInfo kInfo{"ip6-rewrite", "decrements the hop limit and puts the link-layer header in front"};
  using Rewrite::Rewrite;
};

}  // namespace sluice
