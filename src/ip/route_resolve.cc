// SPDX-License-Identifier: Apache-2.0
// From what is wanted to what the FIB leads to.
#include <algorithm>
#include <bit>

#include "ip/route_manager.h"

namespace sluice {

namespace {

/// How many bits two different addresses of a family begin with alike.
unsigned common_bits(const IpAddress& a, const IpAddress& b) {
  if (!a.is_ip6()) return static_cast<unsigned>(std::countl_zero(a.ip4().host() ^ b.ip4().host()));
  const std::uint64_t high = a.ip6().high() ^ b.ip6().high();
  return static_cast<unsigned>(high ? std::countl_zero(high) : 64 + std::countl_zero(a.ip6().low() ^ b.ip6().low()));
}

}  // namespace

bool RouteManager::usable(InterfaceIndex interface) const {
  const InterfaceEntry* entry = interfaces_.find(interface);
  return entry && entry->admin_up && entry->carrier;
}

const std::pair<const IpPrefix, RouteManager::Route>* RouteManager::covering(const Table& table,
                                                                             const IpAddress& address,
                                                                             bool neighbors) const {
  // The last prefix of the order that is not behind an address either holds it, or begins as it does up to the bit
  // where the next shorter one that may hold it has to end.
  for (unsigned length = address.bits();;) {
    auto it = table.routes.upper_bound(IpPrefix::of(address, static_cast<std::uint8_t>(length)));
    if (it == table.routes.begin() || (--it)->first.is_ip6() != address.is_ip6()) return nullptr;
    const auto& [prefix, route] = *it;
    if (!prefix.contains(address)) {
      length = common_bits(prefix.address, address);
      continue;
    }
    if (route.leads() && (neighbors || route.active != RouteSource::Neighbor)) return &*it;
    if (prefix.length == 0) return nullptr;
    length = prefix.length - 1u;
  }
}

void RouteManager::resolve_via(const Table& table, const IpPrefix& prefix, const NextHop& hop, unsigned depth,
                               Resolved& out) const {
  if (depth >= kMaxDepth) return;
  // Neighbours come and go; the subnet that they are in says the same of a next hop.
  const auto* found = covering(table, *hop.via, false);
  // A route that would lead through itself leads nowhere.
  if (!found || found->first == prefix) return;
  const Resolved through = resolve(table, found->first, found->second.specs.at(*found->second.active), depth + 1);
  for (Member member : through.members) {
    if (member.on_link) member = {{member.key.first, *hop.via}, false, 1};
    member.weight *= hop.weight;
    out.members.push_back(member);
  }
}

RouteManager::Resolved RouteManager::resolve(const Table& table, const IpPrefix& prefix, const RouteSpec& spec,
                                             unsigned depth) const {
  Resolved out;
  switch (spec.kind) {
    case RouteKind::Local: return {true, local_, {}};
    case RouteKind::Blackhole: return {true, blackhole_, {}};
    case RouteKind::Unreachable: return {true, unreachable_, {}};
    case RouteKind::Prohibit: return {true, prohibit_, {}};
    case RouteKind::Forward: break;
  }
  for (const NextHop& hop : spec.next_hops) {
    if (!hop.interface.valid()) {
      resolve_via(table, prefix, hop, depth, out);
    } else if (usable(hop.interface)) {
      out.members.push_back({{hop.interface, hop.via.value_or(IpAddress{})}, !hop.via, hop.weight});
    }
  }
  out.live = !out.members.empty();
  return out;
}

ForwardingIndex RouteManager::direct(InterfaceIndex interface) const {
  const auto it = directs_.find(interface);
  return it == directs_.end() ? ForwardingIndex{0} : it->second;
}

void RouteManager::let_go(Route& route) {
  if (route.own_group) ip_.forwarding.remove(route.forwarding);
  route.own_group = false;
  for (const auto& key : route.held) adjacencies_.release(key);
  route.held.clear();
}

/// Fills kGroupSize buckets by weight. Buckets keep their member where it still has a share, so that flows stay.
std::optional<ForwardingIndex> RouteManager::make_group(
    const Route& route, const std::vector<std::pair<ForwardingIndex, std::uint32_t>>& members) {
  std::map<ForwardingIndex, std::uint32_t> share;
  std::uint64_t total = 0, given = 0;
  for (const auto& [index, weight] : members) total += weight;
  for (const auto& [index, weight] : members) {
    const std::uint64_t end = (given + weight) * kGroupSize / total;
    share[index] += static_cast<std::uint32_t>(end - given * kGroupSize / total);
    given += weight;
  }
  Forwarding group;
  group.kind = ForwardingKind::Group;
  group.group_size = kGroupSize;
  group.members = std::make_unique<ForwardingIndex[]>(kGroupSize);
  std::vector<std::uint16_t> empty;
  const Forwarding* old = route.own_group ? &ip_.forwarding.at(route.forwarding) : nullptr;
  for (std::uint16_t bucket = 0; bucket < kGroupSize; ++bucket) {
    const auto kept = old ? share.find(old->members[bucket]) : share.end();
    if (kept != share.end() && kept->second > 0) {
      group.members[bucket] = kept->first;
      --kept->second;
    } else {
      empty.push_back(bucket);
    }
  }
  auto next = share.begin();
  for (const std::uint16_t bucket : empty) {
    while (next->second == 0) ++next;
    group.members[bucket] = next->first;
    --next->second;
  }
  if (old) {
    ip_.forwarding.replace(route.forwarding, std::move(group));
    return route.forwarding;
  }
  return ip_.forwarding.add(std::move(group));
}

Status RouteManager::set_fib(Table& table, const IpPrefix& prefix, ForwardingIndex target) {
  return prefix.is_ip6() ? table.fib6.set(prefix.prefix6(), target) : table.fib4.set(prefix.prefix4(), target);
}

Status RouteManager::install(Table& table, const IpPrefix& prefix, Route& route, RouteSource source,
                             const Resolved& resolved) {
  std::vector<AdjacencyPool::Key> held;
  std::vector<std::pair<ForwardingIndex, std::uint32_t>> members;
  const auto give_back = [&] {
    for (const auto& key : held) adjacencies_.release(key);
  };
  for (const Member& member : resolved.members) {
    ForwardingIndex index = direct(member.key.first);
    if (!member.on_link) {
      const auto acquired = adjacencies_.acquire(member.key.first, member.key.second);
      if (!acquired) {
        give_back();
        return exhausted("route {}: no forwarding objects are left; delete other routes first", prefix.to_string());
      }
      held.push_back(member.key);
      index = *acquired;
    }
    members.emplace_back(index, member.weight);
  }
  const bool was_group = route.own_group;
  ForwardingIndex target = resolved.shared;
  if (members.size() == 1) target = members[0].first;
  const bool group = members.size() > 1;
  if (group) {
    const auto made = make_group(route, members);
    if (!made) {
      give_back();
      return exhausted("route {}: no forwarding objects are left; delete other routes first", prefix.to_string());
    }
    target = *made;
  }
  if (auto status = set_fib(table, prefix, target); !status.ok()) {
    if (group && !was_group) ip_.forwarding.remove(target);
    give_back();
    return status;
  }
  // The group that stays must not be freed with what the route held before.
  if (was_group && group) route.own_group = false;
  let_go(route);
  route.forwarding = target;
  route.own_group = group;
  route.held = std::move(held);
  route.active = source;
  tell_followers(table, prefix);
  return {};
}

void RouteManager::uninstall(Table& table, const IpPrefix& prefix, Route& route) {
  if (prefix.is_ip6()) {
    table.fib6.remove(prefix.prefix6());
  } else {
    table.fib4.remove(prefix.prefix4());
  }
  let_go(route);
  route.active.reset();
  route.forwarding = ForwardingIndex{};
  tell_followers(table, prefix);
}

Status RouteManager::refresh(Table& table, const IpPrefix& prefix) {
  const auto it = table.routes.find(prefix);
  return it == table.routes.end() ? Status() : refresh(table, prefix, it->second);
}

Status RouteManager::refresh(Table& table, const IpPrefix& prefix, Route& route) {
  for (const auto& [source, spec] : route.specs) {
    const Resolved resolved = resolve(table, prefix, spec, 0);
    if (!resolved.live) continue;
    auto status = install(table, prefix, route, source, resolved);
    if (!status.ok() && !route.leads()) break;  // what was there has gone, and nothing can take its place
    return status;
  }
  if (route.active) uninstall(table, prefix, route);
  return {};
}

void RouteManager::refresh_dependants(Table& table, const IpPrefix& prefix, unsigned depth) {
  if (depth >= kMaxDepth) return;
  std::vector<IpPrefix> dependants;
  for (auto it = table.trackers.lower_bound(prefix.address); it != table.trackers.end() && prefix.contains(it->first);
       ++it) {
    // Where a longer route leads to the address, that one is what counts, whatever has become of this one.
    const auto* found = covering(table, it->first, false);
    if (found && found->first.length > prefix.length && !it->second.contains(found->first)) continue;
    dependants.insert(dependants.end(), it->second.begin(), it->second.end());
  }
  for (const IpPrefix& dependant : dependants) {
    if (dependant == prefix) continue;
    (void)refresh(table, dependant);  // nothing new can be needed that the first installation did not need
    refresh_dependants(table, dependant, depth + 1);
  }
}

void RouteManager::track(Table& table, const IpPrefix& prefix, const RouteSpec& spec) {
  for (const NextHop& hop : spec.next_hops) {
    if (hop.interface.valid()) {
      by_interface_[hop.interface].insert({table.id, prefix});
    } else if (hop.via) {
      table.trackers[*hop.via].insert(prefix);
    }
  }
}

/// A source's spec is about to go. Another source's may name the same interface or the same next hop.
void RouteManager::untrack(Table& table, const IpPrefix& prefix, RouteSource source) {
  const auto& specs = table.routes.at(prefix).specs;
  const auto others = [&](auto&& same) {
    return std::any_of(specs.begin(), specs.end(), [&](const auto& other) {
      const auto& hops = other.second.next_hops;
      return other.first != source && std::any_of(hops.begin(), hops.end(), same);
    });
  };
  for (const NextHop& hop : specs.at(source).next_hops) {
    if (hop.interface.valid()) {
      if (others([&](const NextHop& h) { return h.interface == hop.interface; })) continue;
      const auto it = by_interface_.find(hop.interface);
      if (it == by_interface_.end()) continue;  // gone with an earlier hop
      it->second.erase({table.id, prefix});
      if (it->second.empty()) by_interface_.erase(it);
    } else if (hop.via) {
      if (others([&](const NextHop& h) { return !h.interface.valid() && h.via == hop.via; })) continue;
      const auto it = table.trackers.find(*hop.via);
      if (it == table.trackers.end()) continue;
      it->second.erase(prefix);
      if (it->second.empty()) table.trackers.erase(it);
    }
  }
}

}  // namespace sluice
