// SPDX-License-Identifier: Apache-2.0
#include "ip/route_manager.h"

#include <algorithm>

namespace sluice {
namespace {

std::string describe_spec(const RouteSpec& spec, const Interfaces& interfaces) {
  if (spec.kind != RouteKind::Forward) return std::string(to_string(spec.kind));
  std::string text;
  for (const NextHop& hop : spec.next_hops) {
    if (!text.empty()) text += ", ";
    if (hop.via) text += "via " + hop.via->to_string();
    if (hop.interface.valid())
      text += fmt::format("{}interface {}", hop.via ? " " : "", interfaces.name(hop.interface));
    if (hop.weight != 1) text += fmt::format(" weight {}", hop.weight);
  }
  return text;
}

}  // namespace

std::string_view to_string(RouteSource source) {
  switch (source) {
    case RouteSource::Local: return "local";
    case RouteSource::Connected: return "connected";
    case RouteSource::Pod: return "pod";
    case RouteSource::Static: return "static";
    case RouteSource::Neighbor: return "neighbor";
  }
  return "";
}

std::string_view to_string(RouteKind kind) {
  switch (kind) {
    case RouteKind::Forward: return "forward";
    case RouteKind::Local: return "local";
    case RouteKind::Blackhole: return "blackhole";
    case RouteKind::Unreachable: return "unreachable";
    case RouteKind::Prohibit: return "prohibit";
  }
  return "";
}

RouteManager::RouteManager(IpTables& tables, Interfaces& interfaces, std::uint32_t max_tables)
    : ip_(tables), interfaces_(interfaces), adjacencies_(tables.forwarding, interfaces), max_tables_(max_tables) {
  const auto shared = [&](ForwardingKind kind) {
    Forwarding f;
    f.kind = kind;
    return ip_.forwarding.add(std::move(f)).value_or(ForwardingIndex{0});
  };
  local_ = shared(ForwardingKind::Local);
  blackhole_ = shared(ForwardingKind::Blackhole);
  unreachable_ = shared(ForwardingKind::Unreachable);
  prohibit_ = shared(ForwardingKind::Prohibit);
  (void)table(0);
  interfaces_.listen([this](Interfaces::Event event, const InterfaceEntry& entry, const InterfaceAddress* address) {
    on_interface(event, entry, address);
  });
}

RouteManager::~RouteManager() {
  for (auto& [_, table] : tables_) {
    ip_.ip4.set(table->slot, nullptr);
    ip_.ip6.set(table->slot, nullptr);
  }
}

RouteManager::Table* RouteManager::find_table(std::uint32_t id) const {
  const auto it = tables_.find(id);
  return it == tables_.end() ? nullptr : it->second.get();
}

StatusOr<TableIndex> RouteManager::table(std::uint32_t id) {
  if (const Table* known = find_table(id)) return known->slot;
  if (tables_.size() == max_tables_) {
    const auto it = spare();
    if (it == tables_.end()) return no_table(id);
    auto renamed = tables_.extract(it);
    renamed.key() = renamed.mapped()->id = id;
    return tables_.insert(std::move(renamed)).position->second->slot;
  }
  auto made = std::make_unique<Table>(ip_.nodes4, ip_.nodes6);
  made->id = id;
  made->slot = TableIndex{static_cast<std::uint32_t>(tables_.size())};
  ip_.ip4.set(made->slot, &made->fib4);
  ip_.ip6.set(made->slot, &made->fib6);
  return tables_.emplace(id, std::move(made)).first->second->slot;
}

bool RouteManager::unused(const Table& table) const {
  return table.id != 0 && table.routes.empty() && table.followers.empty() &&
         std::none_of(interface_tables_.begin(), interface_tables_.end(),
                      [&](const auto& in) { return in.second == table.id; });
}

/// Something has left a table. When that was the last, the table may become another one after a grace period.
void RouteManager::rest(Table* table) {
  if (!table || !unused(*table)) return;
  table->quiet = std::make_shared<std::atomic<bool>>(false);
  ip_.rcu.defer([quiet = table->quiet] { quiet->store(true); });
}

RouteManager::TableMap::const_iterator RouteManager::spare() const {
  return std::find_if(tables_.begin(), tables_.end(),
                      [&](const auto& table) { return unused(*table.second) && table.second->quiet->load(); });
}

Status RouteManager::no_table(std::uint32_t id) const {
  return exhausted("table {}: there are {} tables, the most; delete the routes of one that no interface is in", id,
                   max_tables_);
}

std::vector<std::uint32_t> RouteManager::tables() const {
  std::vector<std::uint32_t> ids;
  for (const auto& [id, _] : tables_) ids.push_back(id);
  return ids;
}

Status RouteManager::check(const Table* table, const IpPrefix& prefix, const RouteSpec& spec) const {
  if (spec.kind != RouteKind::Forward) {
    if (!spec.next_hops.empty())
      return refused("route {}: {} takes no next hops", prefix.to_string(), to_string(spec.kind));
    return {};
  }
  if (spec.next_hops.empty() || spec.next_hops.size() > RouteSpec::kMaxNextHops) {
    return refused("route {}: {} next hops; give 1 to {}", prefix.to_string(), spec.next_hops.size(),
                   RouteSpec::kMaxNextHops);
  }
  for (const NextHop& hop : spec.next_hops) {
    if (!hop.via && !hop.interface.valid())
      return refused("route {}: a next hop needs an address or an interface", prefix.to_string());
    if (hop.weight < 1 || hop.weight > kMaxWeight) {
      return refused("route {}: weight {}: must be 1 to {}", prefix.to_string(), hop.weight, kMaxWeight);
    }
    if (hop.interface.valid() && !interfaces_.find(hop.interface)) {
      return not_found("route {}: the interface does not exist (any more)", prefix.to_string());
    }
    if (!hop.via) continue;
    if (hop.via->is_ip6() != prefix.is_ip6()) {
      return refused("route {}: next hop {} is of the other family", prefix.to_string(), hop.via->to_string());
    }
    if (hop.via->is_multicast() || hop.via->is_unspecified()) {
      return refused("route {}: next hop {} is no host's address", prefix.to_string(), hop.via->to_string());
    }
    if (hop.via->is_ip6() && hop.via->is_link_local() && !hop.interface.valid()) {
      return refused("route {}: next hop {} is link-local; say on which interface", prefix.to_string(),
                     hop.via->to_string());
    }
    if (!table) continue;
    const auto own = table->routes.find(IpPrefix::host(*hop.via));
    if (own != table->routes.end() && own->second.active == RouteSource::Local) {
      return refused("route {}: next hop {} is this node's own address", prefix.to_string(), hop.via->to_string());
    }
  }
  return {};
}

StatusOr<bool> RouteManager::would_add(std::uint32_t table_id, const IpPrefix& prefix, RouteSource source,
                                       const RouteSpec& spec) const {
  const Table* t = find_table(table_id);
  if (t) {
    if (const auto it = t->routes.find(prefix); it != t->routes.end()) {
      if (const auto same = it->second.specs.find(source); same != it->second.specs.end()) {
        if (same->second == spec) return false;
        return exists("route {} exists as {}, not as {}; delete it first", prefix.to_string(),
                      describe_spec(same->second, interfaces_), describe_spec(spec, interfaces_));
      }
    }
  }
  if (!t && tables_.size() == max_tables_ && spare() == tables_.end()) return no_table(table_id);
  if (auto status = check(t, prefix, spec); !status.ok()) return status;
  return true;
}

StatusOr<bool> RouteManager::add(std::uint32_t table_id, const IpPrefix& prefix, RouteSource source,
                                 const RouteSpec& spec) {
  const auto would = would_add(table_id, prefix, source, spec);
  if (!would.ok() || !*would) return would;
  return set(table_id, prefix, source, spec);
}

StatusOr<bool> RouteManager::set(std::uint32_t table_id, const IpPrefix& prefix, RouteSource source,
                                 const RouteSpec& spec) {
  if (auto status = check(find_table(table_id), prefix, spec); !status.ok()) return status;
  const auto slot = table(table_id);
  if (!slot.ok()) return slot.status();
  Table& t = *find_table(table_id);
  const auto [at, is_new] = t.routes.try_emplace(prefix);
  Route& route = at->second;
  std::optional<RouteSpec> before;
  if (const auto it = route.specs.find(source); it != route.specs.end()) before = it->second;
  if (before == spec) return false;
  if (before) untrack(t, prefix, source);
  route.specs[source] = spec;
  track(t, prefix, spec);
  new_loop_.clear();
  auto status = refresh(t, prefix, route);
  if (status.ok() && source != RouteSource::Neighbor) refresh_dependants(t, prefix, 0);
  if (status.ok() && source == RouteSource::Static && !new_loop_.empty()) {
    status = refused("route {}: it would lead a tunnel through itself: {}", prefix.to_string(), new_loop_);
  }
  if (status.ok()) {
    if (is_new) ++t.count[prefix.is_ip6()];
    return true;
  }
  untrack(t, prefix, source);
  if (before) {
    route.specs[source] = *before;
    track(t, prefix, *before);
  } else {
    route.specs.erase(source);
  }
  (void)refresh(t, prefix, route);
  if (is_new) t.routes.erase(at);
  if (!new_loop_.empty()) refresh_dependants(t, prefix, 0);
  return status;
}

bool RouteManager::remove(std::uint32_t table_id, const IpPrefix& prefix, RouteSource source) {
  Table* t = find_table(table_id);
  if (!t) return false;
  const auto it = t->routes.find(prefix);
  if (it == t->routes.end()) return false;
  const auto spec = it->second.specs.find(source);
  if (spec == it->second.specs.end()) return false;
  untrack(*t, prefix, source);
  it->second.specs.erase(spec);
  (void)refresh(*t, prefix, it->second);  // what remains was installed before or is nothing
  if (it->second.specs.empty()) {
    t->routes.erase(it);
    --t->count[prefix.is_ip6()];
  }
  if (source != RouteSource::Neighbor) refresh_dependants(*t, prefix, 0);
  rest(t);
  return true;
}

}  // namespace sluice
