// SPDX-License-Identifier: Apache-2.0
#include "ip/route_service.h"

#include <algorithm>

namespace sluice::ip {
namespace {

std::string_view word(ForwardingKind kind) {
  switch (kind) {
    case ForwardingKind::NoRoute: return "no-route";
    case ForwardingKind::Blackhole: return "blackhole";
    case ForwardingKind::Unreachable: return "unreachable";
    case ForwardingKind::Prohibit: return "prohibit";
    case ForwardingKind::Local: return "local";
    case ForwardingKind::Connected: return "connected";
    case ForwardingKind::Adjacency: return "forward";
    case ForwardingKind::Incomplete: return "resolving";
    case ForwardingKind::Group: return "group";
  }
  return "";
}

RouteKind kind_of(Action action) {
  switch (action) {
    case BLACKHOLE: return RouteKind::Blackhole;
    case UNREACHABLE: return RouteKind::Unreachable;
    case PROHIBIT: return RouteKind::Prohibit;
    default: return RouteKind::Forward;
  }
}

Status no_such(std::uint32_t table) { return not_found("table {}: there is none; show ip table lists them", table); }

}  // namespace

void RouteService::offer(Api& api) {
  api.service("sluice.ip.Routes")
      .unary("AddRoute", this, &RouteService::add)
      .batches("LoadRoutes", this, &RouteService::load)
      .unary("DeleteRoute", this, &RouteService::remove)
      .stream("ShowFib", this, &RouteService::show)
      .stream("ShowFibDetail", this, &RouteService::show_detail)
      .stream("ShowTable", this, &RouteService::show_tables)
      .unary("SetTable", this, &RouteService::set_table);
  api.kind(
      "route", "a prefix or an address", [this](const KindQuery& query) { return candidates(query); },
      [](std::string_view value) -> Status {
        if (value.find('/') != std::string_view::npos) return IpPrefix::parse(value).status();
        return IpAddress::parse(value).status();
      });
}

StatusOr<sluice::NextHop> RouteService::next_hop(const NextHop& message) const {
  sluice::NextHop hop;
  if (!message.via().empty()) {
    const auto via = IpAddress::parse(message.via());
    if (!via.ok()) return via.status();
    hop.via = *via;
  }
  if (!message.interface().empty()) {
    const InterfaceEntry* entry = interfaces_.find(message.interface());
    if (!entry) {
      return not_found("interface {} does not exist; show interface lists them", message.interface());
    }
    hop.interface = entry->index;
  }
  hop.weight = message.weight() ? message.weight() : 1;
  return hop;
}

StatusOr<RouteSpec> RouteService::spec_of(const RouteRequest& request) const {
  RouteSpec spec;
  spec.kind = kind_of(request.action());
  for (const NextHop& message : request.next_hop()) {
    const auto hop = next_hop(message);
    if (!hop.ok()) return hop.status();
    spec.next_hops.push_back(*hop);
  }
  if (!request.interface().empty()) {
    NextHop on_link;
    on_link.set_interface(request.interface());
    const auto hop = next_hop(on_link);
    if (!hop.ok()) return hop.status();
    spec.next_hops.push_back(*hop);
  }
  if (spec.kind == RouteKind::Forward && spec.next_hops.empty()) {
    return refused("route {}: say where to: via ADDRESS, interface NAME, blackhole, unreachable or prohibit",
                   request.prefix());
  }
  return spec;
}

Status RouteService::add(const RouteRequest& request, Done& done, CallContext& call) {
  const auto prefix = IpPrefix::parse(request.prefix());
  if (!prefix.ok()) return prefix.status();
  const auto spec = spec_of(request);
  if (!spec.ok()) return spec.status();
  const auto changed = call.dry_run() ? routes_.would_add(request.table(), *prefix, RouteSource::Static, *spec)
                                      : routes_.add(request.table(), *prefix, RouteSource::Static, *spec);
  if (!changed.ok()) return changed.status();
  done.set_unchanged(!*changed);
  return {};
}

Status RouteService::remove(const DeleteRouteRequest& request, Done& done, CallContext& call) {
  const auto prefix = IpPrefix::parse(request.prefix());
  if (!prefix.ok()) return prefix.status();
  if (request.next_hop().empty()) return remove_all(request.table(), *prefix, done, call.dry_run());
  for (const auto& [source, spec] : routes_.wanted(request.table(), *prefix)) {
    if (source == RouteSource::Static) return remove_some(request, *prefix, spec, done, call);
  }
  return remove_all(request.table(), *prefix, done, call.dry_run());
}

Status RouteService::remove_all(std::uint32_t table, const IpPrefix& prefix, Done& done, bool dry_run) {
  const auto wanted = routes_.wanted(table, prefix);
  const bool there =
      std::any_of(wanted.begin(), wanted.end(), [](const auto& w) { return w.first == RouteSource::Static; });
  if (there) {
    if (!dry_run) routes_.remove(table, prefix, RouteSource::Static);
    return {};
  }
  if (!wanted.empty()) {
    return failed_precondition("route {} is not static: it is {} and goes with what made it", prefix.to_string(),
                               to_string(wanted.front().first));
  }
  done.set_unchanged(true);
  done.set_text(fmt::format("there is no route {} in table {}", prefix.to_string(), table));
  return {};
}

Status RouteService::remove_some(const DeleteRouteRequest& request, const IpPrefix& prefix, RouteSpec spec, Done& done,
                                 CallContext& call) {
  const std::string before = words(spec);
  for (const NextHop& message : request.next_hop()) {
    const auto hop = next_hop(message);
    if (!hop.ok()) return hop.status();
    const auto gone = std::erase_if(spec.next_hops, [&](const sluice::NextHop& h) {
      return h.via == hop->via && (!hop->interface.valid() || h.interface == hop->interface);
    });
    if (gone == 0) {
      return not_found("route {} has no next hop {}; it goes {}", prefix.to_string(), message.via(), before);
    }
  }
  if (spec.next_hops.empty()) return remove_all(request.table(), prefix, done, call.dry_run());
  if (call.dry_run()) return {};
  call.record("/sluice.ip.Routes/AddRoute", request_of(request, spec));
  return routes_.set(request.table(), prefix, RouteSource::Static, spec).status();
}

/// The request that makes what is left.
RouteRequest RouteService::request_of(const DeleteRouteRequest& deleted, const RouteSpec& left) const {
  RouteRequest request;
  request.set_prefix(deleted.prefix());
  request.set_table(deleted.table());
  for (const sluice::NextHop& hop : left.next_hops) {
    if (!hop.via) {
      request.set_interface(interfaces_.name(hop.interface));
      continue;
    }
    NextHop* message = request.add_next_hop();
    message->set_via(hop.via->to_string());
    if (hop.interface.valid()) message->set_interface(interfaces_.name(hop.interface));
    message->set_weight(hop.weight);
  }
  return request;
}

Status RouteService::check_move(const InterfaceEntry& entry, std::uint32_t table) const {
  if (!entry.owner.empty()) {
    return failed_precondition("interface {0} belongs to a {1}; delete {1} {2} and create it in table {3}", entry.name,
                               entry.owner, entry.name.substr(entry.name.find('/') + 1), table);
  }
  for (const InterfaceEntry* other : interfaces_.list()) {
    if (other->table != table) continue;
    for (const InterfaceAddress& a : entry.addresses) {
      if (a.address.is_ip6() && a.address.is_link_local()) continue;  // each link has its own
      const bool same = std::any_of(other->addresses.begin(), other->addresses.end(),
                                    [&](const InterfaceAddress& b) { return b.address == a.address; });
      if (same) {
        return exists("interface {}: address {} is on interface {} of table {}; delete it there first", entry.name,
                      a.address.to_string(), other->name, other->table);
      }
    }
  }
  for (const InterfaceAddress& a : entry.addresses) {
    for (const auto& [source, spec] : routes_.wanted(table, IpPrefix::host(a.address))) {
      if (source != RouteSource::Pod) continue;
      return exists("interface {}: address {} is behind interface {} of table {}; delete it here or there first",
                    entry.name, a.address.to_string(), interfaces_.name(spec.next_hops.front().interface), table);
    }
  }
  return {};
}

Status RouteService::set_table(const SetTableRequest& request, Done& done, CallContext& call) {
  const InterfaceEntry* entry = interfaces_.find(request.interface());
  if (!entry) return not_found("interface {} does not exist; show interface lists them", request.interface());
  if (entry->table == request.table()) {
    done.set_unchanged(true);
    return {};
  }
  if (auto status = check_move(*entry, request.table()); !status.ok()) return status;
  if (call.dry_run()) return {};
  const auto slot = routes_.table(request.table());
  if (!slot.ok()) return slot.status();
  return interfaces_.set_table(entry->index, request.table(), *slot, *slot).status();
}

StatusOr<std::optional<RouteEntry>> RouteService::only(const FibQuery& query) const {
  const bool is_prefix = query.prefix().find('/') != std::string::npos;
  const auto prefix = is_prefix ? IpPrefix::parse(query.prefix()) : IpPrefix::parse("0.0.0.0/0");
  if (!prefix.ok()) return prefix.status();
  const auto address = is_prefix ? StatusOr<IpAddress>(prefix->address) : IpAddress::parse(query.prefix());
  if (!address.ok()) return address.status();
  if (query.family() != ANY && address->is_ip6() != (query.family() == IP6)) {
    return refused("{}: is IPv{}; use show ip{} fib", query.prefix(), address->is_ip6() ? 6 : 4,
                   address->is_ip6() ? "6" : "");
  }
  return is_prefix ? routes_.find(query.table(), *prefix) : routes_.lookup(query.table(), *address);
}

/// A cursor by key: routes may come and go between two calls.
std::optional<RouteEntry> RouteService::after(const FibQuery& query, const std::optional<IpPrefix>& at) const {
  const bool ip6 = at ? at->is_ip6() : query.family() == IP6;
  auto entry = routes_.next(query.table(), ip6, at);
  if (!entry && !ip6 && query.family() == ANY) entry = routes_.next(query.table(), true, std::nullopt);
  return entry;
}

Stream<Route> RouteService::show(const FibQuery& query) {
  const auto tables = routes_.tables();
  if (!std::binary_search(tables.begin(), tables.end(), query.table())) co_yield no_such(query.table());
  if (!query.prefix().empty()) {
    const auto entry = only(query);
    if (!entry.ok()) co_yield entry.status();
    if (*entry) co_yield message(**entry);
    co_return;
  }
  std::optional<IpPrefix> at;
  while (const auto entry = after(query, at)) {
    at = entry->prefix;
    co_yield message(*entry);
  }
}

Stream<RouteDetail> RouteService::show_detail(const FibQuery& query) {
  const auto tables = routes_.tables();
  if (!std::binary_search(tables.begin(), tables.end(), query.table())) co_yield no_such(query.table());
  if (!query.prefix().empty()) {
    const auto entry = only(query);
    if (!entry.ok()) co_yield entry.status();
    if (*entry) co_yield detail(query.table(), **entry);
    co_return;
  }
  std::optional<IpPrefix> at;
  while (const auto entry = after(query, at)) {
    at = entry->prefix;
    co_yield detail(query.table(), *entry);
  }
}

Stream<Table> RouteService::show_tables(const Nothing&) {
  for (const std::uint32_t id : routes_.tables()) {
    Table m;
    m.set_table(id);
    if (const auto slot = routes_.table(id); slot.ok()) m.set_slot(slot->value);
    m.set_ip4_routes(routes_.size(id, false));
    m.set_ip6_routes(routes_.size(id, true));
    for (const InterfaceEntry* entry : interfaces_.list()) {
      if (entry->table == id) m.add_interfaces(entry->name);
    }
    co_yield m;
  }
}

std::string RouteService::words(const RouteSpec& spec) const {
  if (spec.kind != RouteKind::Forward) return std::string(to_string(spec.kind));
  std::string text;
  for (const sluice::NextHop& hop : spec.next_hops) {
    if (!text.empty()) text += ", ";
    if (hop.via) text += "via " + hop.via->to_string() + (hop.interface.valid() ? " " : "");
    if (hop.interface.valid()) text += "interface " + interfaces_.name(hop.interface);
    if (hop.weight != 1) text += fmt::format(" weight {}", hop.weight);
  }
  return text;
}

Path RouteService::message(const ForwardingPath& path) const {
  Path m;
  m.set_action(std::string(word(path.kind)));
  if (!path.next_hop.is_unspecified()) m.set_via(path.next_hop.to_string());
  if (path.interface.valid()) m.set_interface(interfaces_.name(path.interface));
  m.set_mtu(path.mtu);
  std::string hex;
  for (const std::uint8_t byte : path.rewrite) hex += fmt::format("{:02x}", byte);
  m.set_rewrite(hex);
  if (path.of > 1) m.set_share(fmt::format("{}/{}", path.buckets, path.of));
  m.set_index(path.index.valid() ? path.index.value : 0);
  return m;
}

Route RouteService::message(const RouteEntry& entry) const {
  Route m;
  m.set_prefix(entry.prefix.to_string());
  m.set_source(std::string(to_string(entry.source)));
  m.set_live(entry.live);
  if (!entry.live) {
    m.set_forwarding(fmt::format("{} (unreachable now)", words(entry.spec)));
    return m;
  }
  m.set_index(entry.forwarding.value);
  std::string text;
  for (const ForwardingPath& path : routes_.paths(entry.forwarding)) {
    *m.add_paths() = message(path);
    if (!text.empty()) text += ", ";
    text += routes_.describe(path.index);
    if (path.of > 1) text += fmt::format(" {:.0f} %", 100.0 * path.buckets / path.of);
  }
  m.set_forwarding(text);
  return m;
}

RouteDetail RouteService::detail(std::uint32_t table, const RouteEntry& entry) const {
  RouteDetail m;
  m.set_prefix(entry.prefix.to_string());
  m.set_table(table);
  for (const auto& [source, spec] : routes_.wanted(table, entry.prefix)) {
    Wanted* wanted = m.add_wanted();
    wanted->set_source(std::string(to_string(source)));
    wanted->set_route(words(spec));
    if (!entry.live) {
      wanted->set_state("unreachable now");
    } else if (source != entry.source) {
      wanted->set_state("not in use");
    }
  }
  if (!entry.live) return m;
  for (const ForwardingPath& path : routes_.paths(entry.forwarding)) *m.add_paths() = message(path);
  return m;
}

std::vector<Candidate> RouteService::candidates(const KindQuery& query) const {
  constexpr std::size_t kShown = 50, kSeen = 10000;
  FibQuery all;
  if (const auto* given = dynamic_cast<const FibQuery*>(query.arguments)) {
    all.set_table(given->table());
    all.set_family(given->family());
  }
  std::vector<Candidate> found;
  std::optional<IpPrefix> at;
  for (std::size_t i = 0; i < kSeen && found.size() < kShown; ++i) {
    const auto entry = after(all, at);
    if (!entry) break;
    at = entry->prefix;
    std::string prefix = at->to_string();
    if (prefix.starts_with(query.prefix)) found.emplace_back(std::move(prefix), std::string(to_string(entry->source)));
  }
  return found;
}

}  // namespace sluice::ip
