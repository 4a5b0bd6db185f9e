// SPDX-License-Identifier: Apache-2.0
// The routes that follow from interfaces, their addresses, and neighbours.
#include <algorithm>

#include "ip/route_manager.h"

namespace sluice {
namespace {

bool is_link_local6(const IpAddress& address) { return address.is_ip6() && address.is_link_local(); }

RouteSpec on_link(InterfaceIndex interface) { return {RouteKind::Forward, {{std::nullopt, interface, 1}}}; }

/// A subnet's network and broadcast addresses (RFC 1812 4.2.3.1, 5.3.5); /31 and /32 have none (RFC 3021).
std::vector<IpPrefix> unusable(const InterfaceAddress& address) {
  if (address.address.is_ip6() || address.length >= 31) return {};
  const std::uint32_t mask = address.length ? ~std::uint32_t{0} << (32 - address.length) : 0;
  const std::uint32_t host = address.address.ip4().host();
  return {IpPrefix::host(Ip4Address(host & mask)), IpPrefix::host(Ip4Address(host | ~mask))};
}

}  // namespace

void RouteManager::on_interface(Interfaces::Event event, const InterfaceEntry& entry, const InterfaceAddress* address) {
  using Event = Interfaces::Event;
  switch (event) {
    case Event::Created: {
      Forwarding f;
      f.kind = entry.link == LinkLayer::Ip ? ForwardingKind::Adjacency : ForwardingKind::Connected;
      f.interface = entry.index;
      directs_[entry.index] = ip_.forwarding.add(std::move(f)).value_or(ForwardingIndex{0});
      interface_tables_[entry.index] = entry.table;
      update_link(entry, false);
      break;
    }
    case Event::Deleted: forget_interface(entry); break;
    case Event::StateChanged: refresh_interface(entry.index); break;
    case Event::MacChanged: adjacencies_.rewrite_all(entry.index); break;
    case Event::TableChanged: move_to_table(entry); break;
    case Event::AddressAdded: add_address(entry, *address); break;
    case Event::AddressRemoved: remove_address(entry, *address); break;
    case Event::MtuChanged: break;
  }
}

void RouteManager::add_address(const InterfaceEntry& entry, const InterfaceAddress& address) {
  if (is_link_local6(address.address)) return update_link(entry, false);
  const std::uint32_t table = interface_tables_[entry.index];
  (void)set(table, IpPrefix::host(address.address), RouteSource::Local, {RouteKind::Local, {}});
  if (address.length == address.address.bits()) return;
  const IpPrefix subnet = IpPrefix::of(address.address, address.length);
  // A second address in the same subnet adds a second path, on another interface.
  RouteSpec spec = on_link(entry.index);
  if (const Table* t = find_table(table)) {
    if (const auto it = t->routes.find(subnet); it != t->routes.end()) {
      if (const auto old = it->second.specs.find(RouteSource::Connected); old != it->second.specs.end()) {
        spec = old->second;
        const bool listed = std::any_of(spec.next_hops.begin(), spec.next_hops.end(),
                                        [&](const NextHop& h) { return h.interface == entry.index; });
        if (!listed) spec.next_hops.push_back({std::nullopt, entry.index, 1});
      }
    }
  }
  (void)set(table, subnet, RouteSource::Connected, spec);
  for (const IpPrefix& host : unusable(address))
    (void)set(table, host, RouteSource::Connected, {RouteKind::Blackhole, {}});
}

std::vector<InterfaceAddress> RouteManager::other_addresses(std::uint32_t table, const InterfaceEntry& entry,
                                                            const InterfaceAddress& address) const {
  std::vector<InterfaceAddress> others;
  for (const InterfaceEntry* each : interfaces_.list()) {
    const auto in = interface_tables_.find(each->index);
    if (in == interface_tables_.end() || in->second != table) continue;
    if (each->index == entry.index) each = &entry;
    for (const InterfaceAddress& other : each->addresses) {
      if (each != &entry || other != address) others.push_back(other);
    }
  }
  return others;
}

void RouteManager::remove_address(const InterfaceEntry& entry, const InterfaceAddress& address) {
  if (is_link_local6(address.address)) return update_link(entry, false);
  const std::uint32_t table = interface_tables_[entry.index];
  // The same address may be there with another length, and two subnets may share an end.
  const auto others = other_addresses(table, entry, address);
  const auto any = [&](auto&& same) { return std::any_of(others.begin(), others.end(), same); };
  if (!any([&](const InterfaceAddress& a) { return a.address == address.address; })) {
    remove(table, IpPrefix::host(address.address), RouteSource::Local);
  }
  if (address.length == address.address.bits()) return;
  const IpPrefix subnet = IpPrefix::of(address.address, address.length);
  const bool still = std::any_of(entry.addresses.begin(), entry.addresses.end(), [&](const InterfaceAddress& a) {
    return a != address && a.length == address.length && subnet.contains(a.address);
  });
  if (still) return;
  Table* t = find_table(table);
  const auto it = t->routes.find(subnet);
  if (it == t->routes.end() || !it->second.specs.contains(RouteSource::Connected)) return;
  RouteSpec spec = it->second.specs[RouteSource::Connected];
  std::erase_if(spec.next_hops, [&](const NextHop& h) { return h.interface == entry.index; });
  if (!spec.next_hops.empty()) {
    (void)set(table, subnet, RouteSource::Connected, spec);
    return;
  }
  remove(table, subnet, RouteSource::Connected);
  for (const IpPrefix& host : unusable(address)) {
    const bool shared = any([&](const InterfaceAddress& a) {
      const auto ends = unusable(a);
      return std::find(ends.begin(), ends.end(), host) != ends.end();
    });
    if (!shared) remove(table, host, RouteSource::Connected);
  }
}

/// Each alone, so that a subnet with two addresses goes with the last.
void RouteManager::remove_addresses(const InterfaceEntry& entry) {
  for (const InterfaceAddress& address : entry.addresses) {
    InterfaceEntry alone = entry;
    alone.addresses = {address};
    remove_address(alone, address);
  }
}

void RouteManager::refresh_interface(InterfaceIndex interface) {
  const auto it = by_interface_.find(interface);
  if (it == by_interface_.end()) return;
  const auto affected = it->second;
  for (const auto& [table, prefix] : affected) {
    Table* t = find_table(table);
    (void)refresh(*t, prefix);
    refresh_dependants(*t, prefix, 0);
  }
}

void RouteManager::forget_interface(const InterfaceEntry& entry) {
  remove_addresses(entry);
  for (const IpAddress& neighbor : neighbors_of(entry.index)) forget_neighbor(entry.index, neighbor);
  // What is left of specs that name it loses that next hop, and goes with the last.
  const auto affected =
      by_interface_.contains(entry.index) ? by_interface_[entry.index] : std::set<std::pair<std::uint32_t, IpPrefix>>{};
  for (const auto& [table, prefix] : affected) {
    const auto& routes = find_table(table)->routes;
    const auto it = routes.find(prefix);
    if (it == routes.end()) continue;
    const auto specs = it->second.specs;
    for (auto [source, spec] : specs) {
      if (std::erase_if(spec.next_hops, [&](const NextHop& h) { return h.interface == entry.index; }) == 0) continue;
      if (spec.next_hops.empty()) {
        remove(table, prefix, source);
      } else {
        (void)set(table, prefix, source, spec);
      }
    }
  }
  update_link(entry, true);
  if (const auto it = directs_.find(entry.index); it != directs_.end()) {
    if (it->second.value != 0) ip_.forwarding.remove(it->second);
    directs_.erase(it);
  }
  interface_tables_.erase(entry.index);
  rest(find_table(entry.table));
}

void RouteManager::move_to_table(const InterfaceEntry& entry) {
  remove_addresses(entry);
  const std::uint32_t before = std::exchange(interface_tables_[entry.index], entry.table);
  for (const InterfaceAddress& address : entry.addresses) add_address(entry, address);
  // Its neighbours are where they were, on its link.
  for (const IpAddress& neighbor : neighbors_of(entry.index)) {
    route_to_neighbor(before, neighbor);
    route_to_neighbor(entry.table, neighbor);
  }
  rest(find_table(before));
}

void RouteManager::update_link(const InterfaceEntry& entry, bool gone) {
  ip_.links.update([&](LinkTable& links) {
    if (links.by_slot.size() <= entry.index.slot()) links.by_slot.resize(entry.index.slot() + 1);
    auto& link = links.by_slot[entry.index.slot()];
    link = {};
    if (gone) {
      std::erase_if(links.neighbors, [&](const auto& n) { return n.interface == entry.index; });
      return;
    }
    link.direct = direct(entry.index);
    for (const InterfaceAddress& a : entry.addresses) {
      if (is_link_local6(a.address)) link.own.push_back(a.address.ip6());
    }
  });
}

std::vector<IpAddress> RouteManager::neighbors_of(InterfaceIndex interface) const {
  std::vector<IpAddress> addresses;
  for (const auto& [address, interfaces] : neighbors_) {
    if (interfaces.contains(interface)) addresses.push_back(address);
  }
  return addresses;
}

/// Whether no interface on which the address may be is left to ask.
bool RouteManager::asked_everywhere(std::uint32_t table, const IpAddress& address, const RouteSpec& in_vain) const {
  const Table* in = find_table(table);
  const auto* subnet = in ? covering(*in, address, false) : nullptr;
  if (!subnet) return false;
  const auto& hops = subnet->second.specs.at(*subnet->second.active).next_hops;
  return !hops.empty() && std::all_of(hops.begin(), hops.end(), [&](const NextHop& hop) {
    return !hop.via && (!usable(hop.interface) ||
                        std::any_of(in_vain.next_hops.begin(), in_vain.next_hops.end(),
                                    [&](const NextHop& silent) { return silent.interface == hop.interface; }));
  });
}

/// Makes the host route of a neighbour what is known of it in a table: one path on each interface where it answers. One
/// that answers nowhere gets a route too, so that packets for it are answered with unreachable and need not wait.
void RouteManager::route_to_neighbor(std::uint32_t table, const IpAddress& address) {
  if (is_link_local6(address)) return;  // known to its link only
  RouteSpec spec, in_vain;
  if (const auto it = neighbors_.find(address); it != neighbors_.end()) {
    for (const auto& [interface, answers] : it->second) {
      if (interface_tables_[interface] != table) continue;
      (answers ? spec : in_vain).next_hops.push_back({address, interface, 1});
    }
  }
  if (spec.next_hops.empty() && !in_vain.next_hops.empty() && asked_everywhere(table, address, in_vain)) {
    spec = std::move(in_vain);
  }
  if (spec.next_hops.empty()) {
    remove(table, IpPrefix::host(address), RouteSource::Neighbor);
  } else {
    (void)set(table, IpPrefix::host(address), RouteSource::Neighbor, spec);
  }
}

void RouteManager::know_neighbor(InterfaceIndex interface, const IpAddress& address, bool answers) {
  const auto [at, fresh] = neighbors_[address].try_emplace(interface, answers);
  if (!fresh && at->second == answers) return;
  at->second = answers;
  route_to_neighbor(interface_tables_[interface], address);
  if (!fresh || !is_link_local6(address)) return;
  const auto index = adjacencies_.acquire(interface, address);
  if (!index) return;
  ip_.links.update([&](LinkTable& links) {
    links.neighbors.push_back({interface, address.ip6(), *index});
    std::sort(links.neighbors.begin(), links.neighbors.end());
  });
}

void RouteManager::complete_neighbor(InterfaceIndex interface, const IpAddress& address, const MacAddress& mac) {
  if (!interfaces_.find(interface)) return;
  adjacencies_.complete({interface, address}, mac);
  know_neighbor(interface, address, true);
}

void RouteManager::fail_neighbor(InterfaceIndex interface, const IpAddress& address) {
  if (!interfaces_.find(interface)) return;
  adjacencies_.fail({interface, address});
  know_neighbor(interface, address, false);
}

void RouteManager::forget_neighbor(InterfaceIndex interface, const IpAddress& address) {
  const AdjacencyPool::Key key(interface, address);
  adjacencies_.forget(key);
  const auto it = neighbors_.find(address);
  if (it == neighbors_.end() || it->second.erase(interface) == 0) return;
  if (it->second.empty()) neighbors_.erase(it);
  route_to_neighbor(interface_tables_[interface], address);
  if (!is_link_local6(address)) return;
  std::size_t listed = 0;
  ip_.links.update([&](LinkTable& links) {
    listed = std::erase_if(links.neighbors,
                           [&](const auto& n) { return n.interface == interface && IpAddress(n.address) == address; });
  });
  if (listed != 0) adjacencies_.release(key);
}

}  // namespace sluice
