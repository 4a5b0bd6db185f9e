// SPDX-License-Identifier: Apache-2.0
// ip4-arp: keeps packets while their next hop is being resolved. RFC 1122 section 2.3.2.2.
#pragma once
#include "ip/await_neighbor.h"
#include "sluice/net/icmp.h"
#include "sluice/net/ip4.h"

namespace sluice {

struct Ip4ArpRules {
  using Address = Ip4Address;
  enum class Next : std::uint8_t { Ip4Lookup, Ip4Rewrite, Ip4IcmpError };
  static constexpr Next kLookup = Next::Ip4Lookup, kRewrite = Next::Ip4Rewrite, kIcmpError = Next::Ip4IcmpError;
  static constexpr IcmpErrorRequest kNoAnswer{kIcmpUnreachable, 1, 0, 0};

  static Ip4Address next_hop_of(const Forwarding& object, const Packet& packet) noexcept {
    const bool named = object.kind == ForwardingKind::Incomplete && object.next_hop.is_ip4();
    return named ? object.next_hop.ip4() : packet.header<Ip4Header>()->destination;
  }
  static ForwardingIndex look_up(const IpTables& tables, const Packet& packet, const Worker&) noexcept {
    const Fib<Ip4Address>* fib = tables.ip4.find(packet.table);
    return fib ? fib->lookup(packet.header<Ip4Header>()->destination) : ForwardingIndex{};
  }
};

struct Ip4Arp : AwaitNeighbor<Ip4ArpRules> {
  static constexpr NodeInfo kInfo{"ip4-arp", "keeps packets while their next hop is being resolved"};
  using AwaitNeighbor::AwaitNeighbor;
};

}  // namespace sluice
