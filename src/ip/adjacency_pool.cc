// SPDX-License-Identifier: Apache-2.0
#include "ip/adjacency_pool.h"

#include <cstring>

#include "sluice/net/ethernet.h"

namespace sluice {

Forwarding AdjacencyPool::object(const Key& key, const Adjacency& adjacency) const {
  const auto& [interface, next_hop] = key;
  Forwarding f;
  f.interface = interface;
  f.next_hop = next_hop;
  const InterfaceEntry* entry = interfaces_.find(interface);
  if (entry && entry->link == LinkLayer::Ip) {
    f.kind = ForwardingKind::Adjacency;
    return f;
  }
  switch (adjacency.state) {
    case State::Incomplete: f.kind = ForwardingKind::Incomplete; break;
    case State::Failed: f.kind = ForwardingKind::Unreachable; break;
    case State::Complete: {
      f.kind = ForwardingKind::Adjacency;
      EthernetHeader header{};
      header.destination = adjacency.mac;
      if (entry) header.source = entry->mac;
      header.type = be16(next_hop.is_ip6() ? kEthertypeIp6 : kEthertypeIp4);
      static_assert(sizeof header <= Forwarding::kRewriteMax);
      std::memcpy(f.rewrite.data(), &header, sizeof header);
      f.rewrite_length = sizeof header;
      break;
    }
  }
  return f;
}

std::optional<ForwardingIndex> AdjacencyPool::acquire(InterfaceIndex interface, const IpAddress& next_hop) {
  const Key key(interface, next_hop);
  auto it = adjacencies_.find(key);
  if (it == adjacencies_.end()) {
    const auto index = forwarding_.add(object(key, {}));
    if (!index) return std::nullopt;
    it = adjacencies_.emplace(key, Adjacency{*index}).first;
  }
  ++it->second.users;
  return it->second.index;
}

void AdjacencyPool::release(const Key& key) {
  const auto it = adjacencies_.find(key);
  if (it == adjacencies_.end() || --it->second.users > 0) return;
  forwarding_.remove(it->second.index);
  adjacencies_.erase(it);
}

ForwardingIndex AdjacencyPool::find(const Key& key) const {
  const auto it = adjacencies_.find(key);
  return it == adjacencies_.end() ? ForwardingIndex{} : it->second.index;
}

void AdjacencyPool::update(const Key& key, State state, const MacAddress& mac) {
  const auto it = adjacencies_.find(key);
  if (it == adjacencies_.end() || (it->second.state == state && it->second.mac == mac)) return;
  it->second.state = state;
  it->second.mac = mac;
  forwarding_.replace(it->second.index, object(key, it->second));
}

void AdjacencyPool::complete(const Key& key, const MacAddress& mac) { update(key, State::Complete, mac); }
void AdjacencyPool::fail(const Key& key) { update(key, State::Failed, {}); }
void AdjacencyPool::forget(const Key& key) { update(key, State::Incomplete, {}); }

void AdjacencyPool::rewrite_all(InterfaceIndex interface) {
  for (auto& [key, adjacency] : adjacencies_) {
    if (key.first == interface) forwarding_.replace(adjacency.index, object(key, adjacency));
  }
}

}  // namespace sluice
