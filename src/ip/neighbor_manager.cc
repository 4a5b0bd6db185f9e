// SPDX-License-Identifier: Apache-2.0
#include "ip/neighbor_manager.h"

#include <algorithm>

namespace sluice {

std::string_view to_string(NeighborState state) {
  switch (state) {
    case NeighborState::Incomplete: return "incomplete";
    case NeighborState::Reachable: return "reachable";
    case NeighborState::Probe: return "probe";
    case NeighborState::Failed: return "failed";
    case NeighborState::Permanent: return "permanent";
  }
  return "?";
}

NeighborManager::NeighborManager(IpState& state, Routes& routes, Interfaces& interfaces, Send send,
                                 std::function<void()> released, Options options)
    : state_(state),
      routes_(routes),
      interfaces_(interfaces),
      send_(std::move(send)),
      released_(std::move(released)),
      options_(options) {
  interfaces_.listen([this](Interfaces::Event event, const InterfaceEntry& entry, const InterfaceAddress* address) {
    if (event == Interfaces::Event::Deleted) interface_gone(entry.index);
    if (event == Interfaces::Event::AddressRemoved) address_gone(entry.index, *address);
  });
}

// In a subnet of one of the interface's own addresses.
bool NeighborManager::on_link(InterfaceIndex interface, const IpAddress& address) const {
  if (address.is_ip6() && address.is_link_local()) return true;
  const InterfaceEntry* entry = interfaces_.find(interface);
  if (!entry) return false;
  return std::any_of(entry->addresses.begin(), entry->addresses.end(), [&](const InterfaceAddress& own) {
    return own.address.is_ip6() == address.is_ip6() &&
           IpPrefix::of(own.address, own.length) == IpPrefix::of(address, own.length);
  });
}

void NeighborManager::wanted(const NeighborWanted& message) {
  const Key key(message.interface, message.address);
  if (neighbors_.contains(key)) return;  // it is being asked for, or has just answered
  if (!interfaces_.find(message.interface)) return;
  if (asked_ == options_.max_asked) {
    ++counters_.limited;
    return;  // the worker asks again in a second
  }
  if (!make_room()) return;
  ++asked_;
  Neighbor& neighbor = neighbors_[key];
  neighbor.heard = now_;
  neighbor.order = next_order_++;
  unresolved_[neighbor.order] = key;
  ask(key, neighbor, false);
}

// RFC 6583 section 6: who scans a subnet fills the table with addresses where nobody is. Those that have not answered
// make room, the oldest first, so that a host that is there is still asked, and answers in time.
bool NeighborManager::make_room() {
  if (neighbors_.size() < options_.max_entries) return true;
  if (unresolved_.empty()) {
    ++counters_.table_full;
    return false;
  }
  ++counters_.evicted;
  erase(neighbors_.find(unresolved_.begin()->second));
  return true;
}

NeighborManager::Iterator NeighborManager::erase(Iterator gone) {
  resolved(gone->second);
  routes_.forget_neighbor(gone->first.first, gone->first.second);
  return neighbors_.erase(gone);
}

void NeighborManager::resolved(Neighbor& neighbor) {
  unresolved_.erase(neighbor.order);
  neighbor.order = 0;
}

void NeighborManager::seen(const NeighborSeen& message) {
  learn_host(message);
  const Key key(message.interface, message.address);
  auto it = neighbors_.find(key);
  if (it == neighbors_.end()) {
    // RFC 826 and RFC 4861 section 7.2.3: who asks for us will be talked to.
    if (!message.asked_us || !message.has_mac || !on_link(message.interface, message.address)) return;
    if (!make_room()) return;
    it = neighbors_.emplace(key, Neighbor{}).first;
    return take(key, it->second, message.mac, message.solicited);
  }
  Neighbor& neighbor = it->second;
  if (neighbor.state == NeighborState::Permanent) return;
  if (!message.has_mac && neighbor.mac.is_zero()) return;
  const MacAddress mac = message.has_mac ? message.mac : neighbor.mac;
  const bool known = neighbor.state == NeighborState::Reachable || neighbor.state == NeighborState::Probe;
  const bool moved = known && mac != neighbor.mac;
  // RFC 4861 section 7.2.5: without the override flag a different address only makes us ask, and only once.
  if (moved && !message.overrides) {
    if (neighbor.state == NeighborState::Reachable) probe(key, neighbor);
    return;
  }
  if (moved) ++counters_.moved;
  // What it says unasked does not show that it hears us.
  if (known && !moved && !message.solicited) return;
  take(key, neighbor, mac, message.solicited);
}

void NeighborManager::take(const Key& key, Neighbor& neighbor, const MacAddress& mac, bool solicited) {
  const bool known = neighbor.state == NeighborState::Reachable || neighbor.state == NeighborState::Probe;
  const bool changed = !known || neighbor.mac != mac;
  resolved(neighbor);
  neighbor.mac = mac;
  if (solicited) {
    neighbor.state = NeighborState::Reachable;
    neighbor.heard = now_;
    neighbor.deadline = now_ + options_.reachable;
  } else if (!known) {
    // RFC 4861 section 7.2.3 (STALE) and 7.3.3 (DELAY).
    neighbor.state = NeighborState::Probe;
    neighbor.heard = now_;
    neighbor.asked = 0;
    neighbor.deadline = now_ + options_.delay;
  } else if (neighbor.state == NeighborState::Reachable) {
    probe(key, neighbor);
  }
  if (!changed) return;
  routes_.complete_neighbor(key.first, key.second, mac);
  released_();
}

void NeighborManager::probe(const Key& key, Neighbor& neighbor) {
  neighbor.state = NeighborState::Probe;
  neighbor.asked = 0;
  ask(key, neighbor, true);
}

void NeighborManager::ask(const Key& key, Neighbor& neighbor, bool directly) {
  ++neighbor.asked;
  neighbor.deadline = now_ + options_.retransmit;
  const InterfaceEntry* entry = interfaces_.find(key.first);
  if (!entry || !entry->admin_up || entry->link != LinkLayer::Ethernet) return;
  const AddressTable& own = state_.addresses.get();
  ++counters_.solicits;
  if (key.second.is_ip4()) {
    const Ip4Address target = key.second.ip4();
    send_(key.first, arp_request(entry->mac, own.source_for(key.first, target), target,
                                 directly ? neighbor.mac : MacAddress::broadcast()));
    return;
  }
  const Ip6Address target = key.second.ip6();
  Ip6Address source = own.source_for(key.first, target);
  if (source.is_unspecified()) source = link_local_of(entry->mac);
  send_(key.first, directly ? neighbor_solicitation(entry->mac, source, target, neighbor.mac)
                            : neighbor_solicitation(entry->mac, source, target));
}

void NeighborManager::tick(Ms now) {
  now_ = now;
  asked_ = 0;
  for (auto it = neighbors_.begin(); it != neighbors_.end();) {
    Neighbor& neighbor = it->second;
    const bool due = neighbor.state != NeighborState::Permanent && now_ >= neighbor.deadline;
    it = !due || expire(it->first, neighbor) ? std::next(it) : erase(it);
  }
}

bool NeighborManager::expire(const Key& key, Neighbor& neighbor) {
  switch (neighbor.state) {
    case NeighborState::Incomplete:
      if (neighbor.asked < options_.solicits) {
        ask(key, neighbor, false);
        return true;
      }
      neighbor.state = NeighborState::Failed;
      neighbor.deadline = now_ + options_.failed;
      ++counters_.failed;
      routes_.fail_neighbor(key.first, key.second);
      released_();
      return true;
    case NeighborState::Reachable: probe(key, neighbor); return true;
    case NeighborState::Probe:
      if (neighbor.asked < options_.solicits) {
        ask(key, neighbor, true);
        return true;
      }
      return false;  // the next packet asks for it anew
    case NeighborState::Failed: return false;
    case NeighborState::Permanent: return true;
  }
  return true;
}

StatusOr<bool> NeighborManager::would_add_permanent(InterfaceIndex interface, const IpAddress& address,
                                                    const MacAddress& mac) const {
  const InterfaceEntry* entry = interfaces_.find(interface);
  if (!entry) return not_found("no such interface");
  if (entry->link != LinkLayer::Ethernet) {
    return failed_precondition("interface {} has no link layer, so it has no neighbours to resolve", entry->name);
  }
  if (address.is_multicast() || address.is_unspecified() || mac.is_multicast() || mac.is_zero()) {
    return refused("neighbor {} at {}: both must be unicast addresses", address.to_string(), mac.to_string());
  }
  const Key key(interface, address);
  const auto it = neighbors_.find(key);
  if (it != neighbors_.end() && it->second.state == NeighborState::Permanent && it->second.mac == mac) return false;
  if (it == neighbors_.end() && neighbors_.size() >= options_.max_entries && unresolved_.empty()) {
    return exhausted("neighbor {}: the table holds {} entries, the most; delete one first", address.to_string(),
                     options_.max_entries);
  }
  return true;
}

StatusOr<bool> NeighborManager::add_permanent(InterfaceIndex interface, const IpAddress& address,
                                              const MacAddress& mac) {
  const auto would = would_add_permanent(interface, address, mac);
  if (!would.ok() || !*would) return would;
  if (!knows(interface, address)) (void)make_room();
  Neighbor& neighbor = neighbors_[{interface, address}];
  resolved(neighbor);
  neighbor.state = NeighborState::Permanent;
  neighbor.mac = mac;
  neighbor.heard = now_;
  routes_.complete_neighbor(interface, address, mac);
  released_();
  return true;
}

bool NeighborManager::remove(InterfaceIndex interface, const IpAddress& address) {
  const auto it = neighbors_.find({interface, address});
  if (it == neighbors_.end()) return false;
  erase(it);
  return true;
}

void NeighborManager::interface_gone(InterfaceIndex interface) {
  for (auto it = neighbors_.lower_bound({interface, IpAddress{}}); it != neighbors_.end();) {
    if (it->first.first != interface) break;
    it = erase(it);
  }
  if (state_.punt.get().interface == interface) state_.punt.publish(std::make_unique<const PuntTarget>());
}

// One that a static route names as its gateway is asked for again by the next packet.
void NeighborManager::address_gone(InterfaceIndex interface, const InterfaceAddress& address) {
  const IpPrefix subnet = IpPrefix::of(address.address, address.length);
  for (auto it = neighbors_.lower_bound({interface, IpAddress{}}); it != neighbors_.end();) {
    if (it->first.first != interface) break;
    const bool stays = it->second.state == NeighborState::Permanent || !subnet.contains(it->first.second) ||
                       on_link(interface, it->first.second);
    it = stays ? std::next(it) : erase(it);
  }
}

// The other end of a host tap is whoever speaks there.
void NeighborManager::learn_host(const NeighborSeen& message) {
  const PuntTarget& target = state_.punt.get();
  if (target.interface != message.interface || !message.has_mac) return;
  if (target.knows_host && target.host == message.mac) return;
  state_.punt.update([&](PuntTarget& next) {
    next.knows_host = true;
    next.host = message.mac;
  });
}

std::vector<NeighborEntry> NeighborManager::list() const {
  std::vector<NeighborEntry> entries;
  entries.reserve(neighbors_.size());
  for (const auto& [key, neighbor] : neighbors_) {
    entries.push_back({key.first, key.second, neighbor.state, neighbor.mac, now_ - neighbor.heard});
  }
  return entries;
}

}  // namespace sluice
