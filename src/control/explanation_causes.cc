// SPDX-License-Identifier: Apache-2.0
// What decides: the routes, neighbours, interfaces and features that a packet's steps name.
#include <cstring>

#include "control/explanation.h"
#include "ip/ip4_arp.h"
#include "ip/ip4_icmp.h"
#include "ip/ip6_icmp.h"
#include "ip/ip6_nd.h"
#include "sluice/kernels/ip4_lookup.h"
#include "sluice/kernels/ip4_rewrite.h"
#include "sluice/kernels/ip6_lookup.h"
#include "sluice/kernels/ip6_rewrite.h"

namespace sluice::explain {
namespace {

template <class K>
typename K::Trace trace_of(const TraceStep& step) {
  typename K::Trace trace;
  std::memcpy(&trace, step.payload.data(), sizeof trace);
  return trace;
}

/// Fragments have the same causes, each.
void add(Explanation& explanation, std::string kind, std::string name, std::string state) {
  for (const Cause& known : explanation.because()) {
    if (known.kind() == kind && known.name() == name && known.state() == state) return;
  }
  Cause& cause = *explanation.add_because();
  cause.set_kind(std::move(kind));
  cause.set_name(std::move(name));
  cause.set_state(std::move(state));
}

}  // namespace

void Explainer::add_causes(const TraceStep& step, Explanation& explanation) {
  const std::string_view node = name_of(step.node);
  const auto went_to = [&](auto next) { return step.code == static_cast<std::uint16_t>(next); };
  if (node == Ip4Lookup::kInfo.name) {
    const auto t = trace_of<Ip4Lookup>(step);
    add_route(t.destination, t.table, t.forwarding, explanation);
  } else if (node == Ip6Lookup::kInfo.name) {
    const auto t = trace_of<Ip6Lookup>(step);
    add_route(t.destination, t.table, t.forwarding, explanation);
  } else if (node == Ip4Rewrite::kInfo.name && !is_drop(step)) {
    const auto t = trace_of<Ip4Rewrite>(step);
    add_next_hop(t.interface, t.next_hop, went_to(Ip4Rewrite::Next::InterfaceOutput) ? 0 : t.mtu, step, explanation);
  } else if (node == Ip6Rewrite::kInfo.name && !is_drop(step)) {
    const auto t = trace_of<Ip6Rewrite>(step);
    add_next_hop(t.interface, t.next_hop, went_to(Ip6Rewrite::Next::InterfaceOutput) ? 0 : t.mtu, step, explanation);
  } else if (node == Ip4Arp::kInfo.name && step.code == kVerdictHold) {
    const auto t = trace_of<Ip4Arp>(step);
    add_wait(t.interface, t.next_hop, explanation);
  } else if (node == Ip6Nd::kInfo.name && step.code == kVerdictHold) {
    const auto t = trace_of<Ip6Nd>(step);
    add_wait(t.interface, t.next_hop, explanation);
  } else if (node == Ip4Icmp::kInfo.name) {
    answered_ |= went_to(Ip4Icmp::Next::Ip4Lookup);
  } else if (node == Ip6Icmp::kInfo.name) {
    answered_ |= went_to(Ip6Icmp::Next::Ip6Lookup);
  }
  if (is_drop(step)) add_drop(step, explanation);
}

/// The operator's number of a table.
std::optional<std::uint32_t> Explainer::table_id(TableIndex slot) {
  for (const std::uint32_t id : routes_.tables()) {
    if (const auto found = routes_.table(id); found.ok() && *found == slot) return id;
  }
  return std::nullopt;
}

void Explainer::add_route(const IpAddress& destination, TableIndex table, ForwardingIndex found,
                          Explanation& explanation) {
  forwarding_ = found;
  // RFC 4007: what is link-local is in no table.
  if (destination.is_ip6() && destination.is_link_local()) {
    add(explanation, "link-local address", destination.to_string(),
        found.valid() && found.value < ForwardingTable::kCapacity ? routes_.describe(found) : "of the link it came by");
    return;
  }
  const auto id = table_id(table);
  const auto route = id ? routes_.lookup(*id, destination) : std::nullopt;
  if (!route) {
    add(explanation, "route", destination.to_string(),
        id ? fmt::format("none leads there in table {}", *id) : std::string("its table is gone"));
    return;
  }
  const bool by_hash = route->forwarding != found;
  add(explanation, "route", route->prefix.to_string(),
      fmt::format("table {}, {}: {}{}", *id, to_string(route->source), routes_.describe(found),
                  by_hash ? ", one of several, by the flow's hash" : ""));
}

/// mtu: 0 when the packet goes on as it is.
void Explainer::add_next_hop(InterfaceIndex interface, const IpAddress& next_hop, std::uint32_t mtu,
                             const TraceStep& step, Explanation& explanation) {
  egress_ = interface;
  next_hop_ = next_hop;
  const std::string name = interfaces_.name(interface);
  constexpr std::size_t kEthernet = 14;
  if (!next_hop.is_unspecified()) {
    std::string state = "on " + name;
    for (const ForwardingPath& path : routes_.paths(forwarding_)) {
      MacAddress mac;
      if (path.rewrite.size() < kEthernet) continue;
      std::memcpy(&mac, path.rewrite.data(), sizeof mac);
      state += ", at " + mac.to_string();
    }
    add(explanation, "neighbour", next_hop.to_string(), std::move(state));
  }
  if (mtu > 0 && step.length > mtu) add(explanation, "interface", name, fmt::format("mtu {}", mtu));
}

void Explainer::add_wait(InterfaceIndex interface, const IpAddress& next_hop, Explanation& explanation) {
  waits_for_neighbor_ = true;
  egress_ = interface;
  next_hop_ = next_hop;
  add(explanation, "neighbour", next_hop.to_string(), fmt::format("on {}, not resolved", interfaces_.name(interface)));
}

/// A feature decides for its interface, a device's node by the interface's state; other nodes by the packet alone.
void Explainer::add_drop(const TraceStep& step, Explanation& explanation) const {
  const Graph::Node& node = graph_.node(step.node);
  const std::string& name = node.description.name;
  if (node.feature_arc) {
    const ArcDescription& arc = graph_.arcs()[*node.feature_arc];
    const bool rx = arc.selector == ArcSelector::RxInterface;
    add(explanation, "feature", name,
        fmt::format("of {}, on {}", interfaces_.name(rx ? step.rx_interface : step.tx_interface), arc.name));
    return;
  }
  const bool input = node.description.form == "input", output = name.ends_with("-output");
  if (!input && !output) return;
  const InterfaceEntry* entry = interfaces_.find(input ? step.rx_interface : step.tx_interface);
  if (entry)
    add(explanation, "interface", entry->name, fmt::format("{}, mtu {}", entry->admin_up ? "up" : "down", entry->mtu));
}

}  // namespace sluice::explain
