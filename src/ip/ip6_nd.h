// SPDX-License-Identifier: Apache-2.0
// ip6-nd: keeps packets while their next hop is being resolved. RFC 4861 section 7.2.2.
#pragma once
#include "ip/await_neighbor.h"
#include "sluice/net/icmp.h"
#include "sluice/net/ip6.h"

namespace sluice {

struct Ip6NdRules {
  using Address = Ip6Address;
  enum class Next : std::uint8_t { Ip6Lookup, Ip6Rewrite, Ip6IcmpError };
  static constexpr Next kLookup = Next::Ip6Lookup, kRewrite = Next::Ip6Rewrite, kIcmpError = Next::Ip6IcmpError;
  static constexpr IcmpErrorRequest kNoAnswer{kIcmp6Unreachable, 3, 0, 0};

  static Ip6Address next_hop_of(const Forwarding& object, const Packet& packet) noexcept {
    const bool named = object.kind == ForwardingKind::Incomplete && object.next_hop.is_ip6();
    return named ? object.next_hop.ip6() : packet.header<Ip6Header>()->destination;
  }
  static ForwardingIndex look_up(const IpTables& tables, const Packet& packet, const Worker& worker) noexcept {
    const Ip6Address& destination = packet.header<Ip6Header>()->destination;
    if (destination.is_link_local()) return tables.links.read(worker).find(packet.tx_interface, destination);
    const Fib<Ip6Address>* fib = tables.ip6.find(packet.table);
    return fib ? fib->lookup(destination) : ForwardingIndex{};
  }
};

struct Ip6Nd : AwaitNeighbor<Ip6NdRules> {
  static constexpr NodeInfo kInfo{"ip6-nd", "keeps packets while their next hop is being resolved"};
  using AwaitNeighbor::AwaitNeighbor;
};

}  // namespace sluice
