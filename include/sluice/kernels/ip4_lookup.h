// SPDX-License-Identifier: Apache-2.0
// ip4-lookup: finds where the destination leads, in packet.table. RFC 1812 section 5.2.4.
#pragma once
#include <sluice/kernels/lookup.h>
#include <sluice/net/ip4.h>

namespace sluice {

struct Ip4LookupRules {
  using Header = Ip4Header;
  enum class Next : std::uint8_t { Ip4Rewrite, Ip4Local, Ip4Arp, Ip4IcmpError };
  enum class Drop : std::uint8_t { NoTable, Blackhole };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::NoTable: return "the packet's route table was deleted while it was on its way";
      case Drop::Blackhole: return "the route says blackhole";
    }
    return "";
  }

  static constexpr Next kRewrite = Next::Ip4Rewrite, kDeliver = Next::Ip4Local, kResolve = Next::Ip4Arp,
                        kIcmpError = Next::Ip4IcmpError;
  // RFC 1812 section 5.2.7.1.
  static constexpr IcmpErrorRequest kNoRoute{kIcmpUnreachable, 0, 0, 0}, kUnreachable{kIcmpUnreachable, 1, 0, 0},
      kProhibited{kIcmpUnreachable, 13, 0, 0};
  static constexpr std::size_t kSteps = 1, kMostSteps = 3;
  static constexpr bool kLinks = false;

  static const FibTables<Ip4Address>& fibs(const IpTables& tables) noexcept { return tables.ip4; }
  static const FibNodes& nodes_of(const IpTables& tables) noexcept { return tables.nodes4; }
  static std::uint32_t flow_hash_of(const Packet& packet) noexcept { return flow_hash4(packet); }
};

struct Ip4Lookup : Lookup<Ip4LookupRules> {
  static constexpr NodeInfo kInfo{"ip4-lookup", "finds where the destination leads"};
  using Lookup::Lookup;
};

}  // namespace sluice
