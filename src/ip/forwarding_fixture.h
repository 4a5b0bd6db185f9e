// SPDX-License-Identifier: Apache-2.0
// Tables for the unit tests of the forwarding kernels.
#pragma once
#include <string_view>

#include "ip/test_packets.h"
#include "sluice/ip_tables.h"

namespace sluice::testing {

struct ForwardingFixture {
  Rcu rcu;
  IpTables tables{rcu};
  Fib<Ip4Address> fib4{tables.nodes4};
  Fib<Ip6Address> fib6{tables.nodes6};

  ForwardingFixture() {
    tables.ip4.set(TableIndex{0}, &fib4);
    tables.ip6.set(TableIndex{0}, &fib6);
  }
  ~ForwardingFixture() { rcu.drain(); }

  ForwardingIndex add(Forwarding object) { return *tables.forwarding.add(std::move(object)); }
  ForwardingIndex add(ForwardingKind kind, InterfaceIndex interface = {}) {
    Forwarding object;
    object.kind = kind;
    object.interface = interface;
    return add(std::move(object));
  }
  ForwardingIndex adjacency(InterfaceIndex interface, std::uint32_t mtu = 0, const Bytes& rewrite = {}) {
    Forwarding object;
    object.kind = ForwardingKind::Adjacency;
    object.interface = interface;
    object.mtu = mtu;
    object.rewrite_length = static_cast<std::uint8_t>(rewrite.size());
    std::copy(rewrite.begin(), rewrite.end(), object.rewrite.begin());
    return add(std::move(object));
  }
  ForwardingIndex group(const std::vector<ForwardingIndex>& members) {
    Forwarding object;
    object.kind = ForwardingKind::Group;
    object.group_size = static_cast<std::uint16_t>(members.size());
    object.members = std::make_unique<ForwardingIndex[]>(members.size());
    std::copy(members.begin(), members.end(), object.members.get());
    return add(std::move(object));
  }
  void route4(std::string_view prefix, ForwardingIndex target) {
    EXPECT_TRUE(fib4.set(*Prefix<Ip4Address>::parse(prefix), target).ok());
  }
  void route6(std::string_view prefix, ForwardingIndex target) {
    EXPECT_TRUE(fib6.set(*Prefix<Ip6Address>::parse(prefix), target).ok());
  }
};

}  // namespace sluice::testing
