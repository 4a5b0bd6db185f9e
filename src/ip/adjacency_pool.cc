// SPDX-License-Identifier: Apache-2.0
#include "ip/adjacency_pool.h"

#include <cstring>

#include "sluice/net/ethernet.h"

namespace sluice {

AdjacencyPool::Known AdjacencyPool::known(const Key& key) const {
  const auto it = known_.find(key);
  return it == known_.end() ? Known{} : it->second;
}

Forwarding AdjacencyPool::object(const Key& key) const {
  const auto& [interface, next_hop] = key;
  Forwarding f;
  f.interface = interface;
  f.next_hop = next_hop;
  const InterfaceEntry* entry = interfaces_.find(interface);
  if (entry && entry->link == LinkLayer::Ip) {
    f.kind = ForwardingKind::Adjacency;
    return f;
  }
  const Known neighbor = known(key);
  switch (neighbor.state) {
    case State::Incomplete: f.kind = ForwardingKind::Incomplete; break;
    case State::Failed: f.kind = ForwardingKind::Unreachable; break;
    case State::Complete: {
      f.kind = ForwardingKind::Adjacency;
      EthernetHeader header{};
      header.destination = neighbor.mac;
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
    const auto index = forwarding_.add(object(key));
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

void AdjacencyPool::update(const Key& key) {
  if (const auto it = adjacencies_.find(key); it != adjacencies_.end()) {
    forwarding_.replace(it->second.index, object(key));
  }
}

void AdjacencyPool::learn(const Key& key, const Known& now) {
  if (known(key) == now) return;
  known_[key] = now;
  update(key);
}

void AdjacencyPool::complete(const Key& key, const MacAddress& mac) { learn(key, {State::Complete, mac}); }
void AdjacencyPool::fail(const Key& key) { learn(key, {State::Failed, {}}); }
void AdjacencyPool::forget(const Key& key) {
  if (known_.erase(key) != 0) update(key);
}

void AdjacencyPool::rewrite_all(InterfaceIndex interface) {
  for (auto& [key, adjacency] : adjacencies_) {
    if (key.first == interface) forwarding_.replace(adjacency.index, object(key));
  }
}

}  // namespace sluice
