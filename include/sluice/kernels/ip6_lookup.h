// SPDX-License-Identifier: Apache-2.0
// ip6-lookup: finds where the destination leads, in packet.table; link-local
// destinations, on their own link. RFC 8200, RFC 4007 section 9.
#pragma once
#include <sluice/kernels/lookup.h>
#include <sluice/net/ip6.h>

namespace sluice {

struct Ip6LookupRules {
  using Header = Ip6Header;
  enum class Next : std::uint8_t { Ip6Rewrite, Ip6Local, Ip6Nd, Ip6IcmpError };
  enum class Drop : std::uint8_t { NoTable, Blackhole, OtherLink };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::NoTable: return "the packet's route table was deleted while it was on its way";
      case Drop::OtherLink: return "a link-local destination that is not this node's; it stays on its link";
      case Drop::Blackhole: return "the route says blackhole";
    }
    return "";
  }

  static constexpr Next kRewrite = Next::Ip6Rewrite, kDeliver = Next::Ip6Local, kResolve = Next::Ip6Nd,
                        kIcmpError = Next::Ip6IcmpError;
  static constexpr IcmpErrorRequest kNoRoute{kIcmp6Unreachable, 0, 0, 0}, kProhibited{kIcmp6Unreachable, 1, 0, 0},
      kBeyondScope{kIcmp6Unreachable, 2, 0, 0}, kUnreachable{kIcmp6Unreachable, 3, 0, 0};
  static constexpr std::size_t kSteps = 2, kMostSteps = 8;
  static constexpr bool kLinks = true;

  static const FibTables<Ip6Address>& fibs(const IpTables& tables) noexcept { return tables.ip6; }
  static const FibNodes& nodes_of(const IpTables& tables) noexcept { return tables.nodes6; }
  static std::uint32_t flow_hash_of(const Packet& packet) noexcept { return flow_hash6(packet); }
};

struct Ip6Lookup : Lookup<Ip6LookupRules> {
  static constexpr NodeInfo kInfo{"ip6-lookup", "finds where the destination leads"};
  using Lookup::Lookup;
};

}  // namespace sluice
