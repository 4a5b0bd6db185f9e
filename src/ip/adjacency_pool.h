// SPDX-License-Identifier: Apache-2.0
// Adjacencies: one forwarding object for each (interface, next hop), shared by the routes that use it, and kept in step
// with what is known of the neighbour.
#pragma once
#include <map>
#include <optional>
#include <utility>

#include "sluice/interfaces.h"
#include "sluice/ip_tables.h"

namespace sluice {

class AdjacencyPool {
 public:
  using Key = std::pair<InterfaceIndex, IpAddress>;

  AdjacencyPool(ForwardingTable& forwarding, const Interfaces& interfaces)
      : forwarding_(forwarding), interfaces_(interfaces) {}

  /// The object for a next hop; one more user. None when there is no room.
  std::optional<ForwardingIndex> acquire(InterfaceIndex interface, const IpAddress& next_hop);
  void release(const Key& key);
  ForwardingIndex find(const Key& key) const;

  // What is known of a neighbour, until forget(): whether routes use its adjacency now or not.
  void complete(const Key& key, const MacAddress& mac);
  void fail(const Key& key);
  void forget(const Key& key);
  /// The interface has another MAC address.
  void rewrite_all(InterfaceIndex interface);

 private:
  enum class State : std::uint8_t { Incomplete, Complete, Failed };
  struct Known {
    State state = State::Incomplete;
    MacAddress mac{};
    friend bool operator==(const Known&, const Known&) = default;
  };
  struct Adjacency {
    ForwardingIndex index;
    std::uint32_t users = 0;
  };
  Known known(const Key& key) const;
  Forwarding object(const Key& key) const;
  void learn(const Key& key, const Known& now);
  void update(const Key& key);

  ForwardingTable& forwarding_;
  const Interfaces& interfaces_;
  std::map<Key, Adjacency> adjacencies_;
  std::map<Key, Known> known_;
};

}  // namespace sluice
