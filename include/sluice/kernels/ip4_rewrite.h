// SPDX-License-Identifier: Apache-2.0
// ip4-rewrite: takes one from the time to live, checks the MTU, and puts the adjacency's link-layer header in front.
// RFC 1812 sections 5.3.1 and 4.2.2.7, RFC 1191 section 4.
#pragma once
#include <sluice/kernels/rewrite.h>
#include <sluice/net/icmp.h>
#include <sluice/net/ip4.h>

namespace sluice {

struct Ip4RewriteRules {
  using Header = Ip4Header;
  enum class Next : std::uint8_t { InterfaceOutput, Ip4Fragment, Ip4IcmpError };
  static constexpr Next kFragment = Next::Ip4Fragment, kIcmpError = Next::Ip4IcmpError;
  static constexpr IcmpErrorRequest kExpired{kIcmpTimeExceeded, 0, 0, 0}, kTooLong{kIcmpUnreachable, 4, 0, 0};
  static constexpr std::string_view kHopsLeft = "ttl";

  static std::uint8_t hops_left(const Ip4Header& ip) noexcept { return ip.ttl; }
  // RFC 1624: with the TTL in the upper byte of its word, one less there is one more in the checksum.
  static void count_down(Ip4Header& ip) noexcept {
    --ip.ttl;
    const std::uint32_t sum = ip.checksum.raw + 1u;
    ip.checksum.raw = static_cast<std::uint16_t>(sum + (sum >= 0xffff));
  }
  static bool may_fragment(const Packet&, const Ip4Header& ip) noexcept {
    return !(ip.fragment.host() & Ip4Header::kDontFragment);
  }
};

struct Ip4Rewrite : Rewrite<Ip4RewriteRules> {
  static constexpr NodeInfo kInfo{"ip4-rewrite", "decrements the TTL and puts the link-layer header in front"};
  using Rewrite::Rewrite;
};

}  // namespace sluice
