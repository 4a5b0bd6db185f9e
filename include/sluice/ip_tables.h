// SPDX-License-Identifier: Apache-2.0
// What the forwarding kernels read: the tables of both families and the objects that their routes lead to.
#pragma once
#include <sluice/fib.h>
#include <sluice/forwarding.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace sluice {

/// IPv6 link-local addresses mean something on one link only (RFC 4007), so they are not in a FIB.
struct LinkTable {
  struct Neighbor {
    InterfaceIndex interface;
    Ip6Address address;
    ForwardingIndex forwarding;
    friend auto operator<=>(const Neighbor&, const Neighbor&) = default;
  };
  struct Link {
    ForwardingIndex direct;       ///< what a destination on this link leads to: Connected, or Adjacency on a TUN
    std::vector<Ip6Address> own;  ///< this node's link-local addresses
  };
  std::vector<Link> by_slot;
  std::vector<Neighbor> neighbors;  ///< sorted

  const Link* find(InterfaceIndex interface) const noexcept {
    return interface.slot() < by_slot.size() ? &by_slot[interface.slot()] : nullptr;
  }
  ForwardingIndex find(InterfaceIndex interface, const Ip6Address& address) const noexcept {
    const auto it =
        std::lower_bound(neighbors.begin(), neighbors.end(), std::pair(interface, address),
                         [](const Neighbor& n, const auto& key) { return std::pair(n.interface, n.address) < key; });
    if (it != neighbors.end() && it->interface == interface && it->address == address) return it->forwarding;
    const Link* link = find(interface);
    return link ? link->direct : ForwardingIndex{};
  }
};

struct IpTables {
  explicit IpTables(Rcu& r) : rcu(r), forwarding(r), nodes4(r), nodes6(r), links(r) {}

  Rcu& rcu;
  ForwardingTable forwarding;
  FibNodes nodes4, nodes6;
  FibTables<Ip4Address> ip4;
  FibTables<Ip6Address> ip6;
  Published<LinkTable> links;
};

}  // namespace sluice
