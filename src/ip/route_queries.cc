// SPDX-License-Identifier: Apache-2.0
// What routes there are, and what they lead to.
#include "ip/route_manager.h"

namespace sluice {

RouteEntry RouteManager::entry_of(const IpPrefix& prefix, const Route& route) const {
  const auto best = route.active ? route.specs.find(*route.active) : route.specs.begin();
  return {prefix, best->first, best->second, route.active.has_value(), route.forwarding};
}

std::optional<RouteEntry> RouteManager::find(std::uint32_t table_id, const IpPrefix& prefix) const {
  const Table* t = find_table(table_id);
  if (!t) return std::nullopt;
  const auto it = t->routes.find(prefix);
  if (it == t->routes.end()) return std::nullopt;
  return entry_of(prefix, it->second);
}

std::optional<RouteEntry> RouteManager::lookup(std::uint32_t table_id, const IpAddress& address) const {
  const Table* t = find_table(table_id);
  const auto* found = t ? covering(*t, address, true) : nullptr;
  if (!found) return std::nullopt;
  return entry_of(found->first, found->second);
}

std::optional<RouteEntry> RouteManager::next(std::uint32_t table_id, bool ip6,
                                             const std::optional<IpPrefix>& after) const {
  const Table* t = find_table(table_id);
  if (!t) return std::nullopt;
  const IpPrefix first = ip6 ? IpPrefix(Prefix6{}) : IpPrefix(Prefix4{});
  const auto it = after ? t->routes.upper_bound(*after) : t->routes.lower_bound(first);
  if (it == t->routes.end() || it->first.is_ip6() != ip6) return std::nullopt;
  return entry_of(it->first, it->second);
}

std::size_t RouteManager::size(std::uint32_t table_id, bool ip6) const {
  const Table* t = find_table(table_id);
  return t ? t->count[ip6] : 0;
}

std::string RouteManager::describe(ForwardingIndex index) const {
  if (!index.valid()) return "nothing";
  const Forwarding& f = ip_.forwarding.at(index);
  const auto on = [&] { return interfaces_.name(f.interface); };
  switch (f.kind) {
    case ForwardingKind::NoRoute: return "no-route";
    case ForwardingKind::Blackhole: return "blackhole";
    case ForwardingKind::Unreachable: return "unreachable";
    case ForwardingKind::Prohibit: return "prohibit";
    case ForwardingKind::Local: return "local";
    case ForwardingKind::Connected: return "connected " + on();
    case ForwardingKind::Incomplete: return fmt::format("via {} {} (resolving)", f.next_hop.to_string(), on());
    case ForwardingKind::Adjacency:
      if (f.next_hop.is_unspecified()) return "link " + on();
      return fmt::format("via {} {}", f.next_hop.to_string(), on());
    case ForwardingKind::Group: return fmt::format("group of {} buckets", f.group_size);
  }
  return "";
}

namespace {

ForwardingPath path_of(ForwardingIndex index, const Forwarding& f) {
  ForwardingPath path;
  path.index = index;
  path.kind = f.kind;
  path.interface = f.interface;
  path.next_hop = f.next_hop;
  path.rewrite.assign(f.rewrite.begin(), f.rewrite.begin() + f.rewrite_length);
  path.mtu = f.mtu;
  return path;
}

}  // namespace

std::vector<ForwardingPath> RouteManager::paths(ForwardingIndex index) const {
  const Forwarding& object = ip_.forwarding.at(index.valid() ? index : ForwardingIndex{0});
  if (object.kind != ForwardingKind::Group) return {path_of(index, object)};
  std::map<ForwardingIndex, std::uint32_t> buckets;
  for (std::uint16_t i = 0; i < object.group_size; ++i) ++buckets[object.members[i]];
  std::vector<ForwardingPath> all;
  for (const auto& [member, share] : buckets) {
    all.push_back(path_of(member, ip_.forwarding.at(member)));
    all.back().buckets = share;
    all.back().of = object.group_size;
  }
  return all;
}

std::vector<std::pair<RouteSource, RouteSpec>> RouteManager::wanted(std::uint32_t table_id,
                                                                    const IpPrefix& prefix) const {
  const Table* t = find_table(table_id);
  if (!t) return {};
  const auto it = t->routes.find(prefix);
  if (it == t->routes.end()) return {};
  return {it->second.specs.begin(), it->second.specs.end()};
}

}  // namespace sluice
