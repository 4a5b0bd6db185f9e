// SPDX-License-Identifier: Apache-2.0
#include "interface/interface_service.h"

#include <algorithm>

#include "interface/flow_handoff.h"
#include "interface/gro.h"
#include "interface/interface_words.h"

namespace sluice::interface {
namespace {

sluice::RxMode from_message(RxMode mode) {
  if (mode == POLLING) return sluice::RxMode::Polling;
  return mode == INTERRUPT ? sluice::RxMode::Interrupt : sluice::RxMode::Adaptive;
}

std::string to_string(const InterfaceAddress& a) { return fmt::format("{}/{}", a.address.to_string(), a.length); }

StatusOr<InterfaceAddress> parse_address(const std::string& words) {
  const std::size_t slash = words.find('/');
  if (slash == std::string::npos) return refused("address {}: give a prefix length too, as in {}/24", words, words);
  const auto address = IpAddress::parse(std::string_view(words).substr(0, slash));
  if (!address.ok()) return address.status();
  // The rules of the field have checked the length.
  return InterfaceAddress{*address, static_cast<std::uint8_t>(std::stoi(words.substr(slash + 1)))};
}

/// The reply of a change, from whether it changed anything.
Status report(const StatusOr<bool>& changed, Done& done) {
  if (!changed.ok()) return changed.status();
  done.set_unchanged(!*changed);
  return {};
}

}  // namespace

void InterfaceService::offer(Api& api) {
  api.service("sluice.interface.Interfaces")
      .stream("ShowInterface", this, &InterfaceService::show)
      .stream("ShowInterfaceAddress", this, &InterfaceService::show_address)
      .stream("ShowFeatures", this, &InterfaceService::show_features)
      .stream("ShowPlacement", this, &InterfaceService::show_placement)
      .unary("SetState", this, &InterfaceService::set_state)
      .unary("SetMtu", this, &InterfaceService::set_mtu)
      .unary("AddAddress", this, &InterfaceService::add_address)
      .unary("DeleteAddress", this, &InterfaceService::delete_address)
      .unary("SetRxMode", this, &InterfaceService::set_rx_mode)
      .unary("SetRxPlacement", this, &InterfaceService::set_rx_placement)
      .unary("SetRss", this, &InterfaceService::set_rss)
      .unary("CreateVlan", this, &InterfaceService::create_vlan)
      .unary("DeleteInterface", this, &InterfaceService::delete_interface)
      .unary("SetFeature", this, &InterfaceService::set_feature);
  api.kind("interface", "an interface", [this](const KindQuery&) {
    std::vector<Candidate> names;
    for (const InterfaceEntry* e : interfaces_.list()) {
      names.emplace_back(e->name, fmt::format("{}, {}, {} bytes", e->driver, state_of(*e), e->mtu));
    }
    return names;
  });
  api.kind("feature", "a feature", [this](const KindQuery&) {
    std::vector<Candidate> names;
    for (const auto& arc : dataplane_.graph().arcs()) {
      for (const NodeIndex node : arc.features) {
        const NodeDescription& d = dataplane_.graph().node(node).description;
        names.emplace_back(d.name, d.summary);
      }
    }
    return names;
  });
  api.kind("node", "a node", [this](const KindQuery&) {
    std::vector<Candidate> names;
    for (const auto& node : dataplane_.graph().nodes())
      names.emplace_back(node.description.name, node.description.summary);
    return names;
  });
}

StatusOr<const InterfaceEntry*> InterfaceService::entry(std::string_view name) const {
  const InterfaceEntry* e = interfaces_.find(name);
  if (!e) return not_found("interface {} does not exist; show interface lists them", name);
  return e;
}

std::vector<std::string> InterfaceService::names(const std::string& only) const {
  if (!only.empty()) return {only};
  std::vector<std::string> names;
  for (const InterfaceEntry* e : interfaces_.list()) names.push_back(e->name);
  return names;
}

Interface InterfaceService::message(const InterfaceEntry& e) const {
  using C = InterfaceCounter;
  const auto count = [&](C c) { return interfaces_.counter(e.index, c); };
  Interface m;
  m.set_name(e.name);
  m.set_state(state_of(e));
  m.set_mtu(e.mtu);
  m.set_rx_packets(count(C::RxPackets));
  m.set_rx_bytes(count(C::RxBytes));
  m.set_tx_packets(count(C::TxPackets));
  m.set_tx_bytes(count(C::TxBytes));
  m.set_drops(count(C::Drops));
  m.set_punts(count(C::Punts));
  m.set_ip4(count(C::Ip4));
  m.set_ip6(count(C::Ip6));
  m.set_rx_miss(count(C::RxMiss));
  m.set_rx_no_buffer(count(C::RxNoBuffer));
  m.set_rx_error(count(C::RxError));
  m.set_tx_error(count(C::TxError));
  m.set_driver(e.driver);
  m.set_index(e.index.slot());
  if (e.link == LinkLayer::Ethernet) m.set_mac(e.mac.to_string());
  m.set_rx_mode(std::string(mode_name(e.rx_mode)));
  m.set_detail(e.detail);
  m.set_table(e.table);
  const auto output = features_.enabled(e.index, Gro::kFeature.arc);
  m.set_gro(std::find(output.begin(), output.end(), Gro::kInfo.name) == output.end() ? "off" : "on");
  for (const InterfaceAddress& a : e.addresses) m.add_addresses(to_string(a));
  if (e.device) {
    for (const auto& counter : e.device->counters()) {
      auto* c = m.add_counters();
      c->set_name(std::string(counter.name));
      c->set_value(counter.value);
      c->set_unit(std::string(counter.unit));
    }
  }
  return m;
}

Stream<Interface> InterfaceService::show(const InterfaceQuery& query) {
  for (const std::string& name : names(query.name())) {
    // Another handler may have deleted it between two replies.
    if (const InterfaceEntry* e = interfaces_.find(name)) co_yield message(*e);
  }
}

Stream<Address> InterfaceService::show_address(const InterfaceQuery& query) {
  for (const std::string& name : names(query.name())) {
    const InterfaceEntry* e = interfaces_.find(name);
    if (!e) continue;
    std::vector<Address> rows;
    for (const InterfaceAddress& a : e->addresses) {
      Address m;
      m.set_interface(e->name);
      m.set_state(state_of(*e));
      m.set_address(to_string(a));
      m.set_table(e->table);
      rows.push_back(m);
    }
    for (const Address& m : rows) co_yield m;
  }
}

Stream<Feature> InterfaceService::show_features(const FeatureQuery& query) {
  const auto e = entry(query.interface());
  if (!e.ok()) co_yield e.status();
  const InterfaceIndex index = (*e)->index;
  for (const auto& arc : dataplane_.graph().arcs()) {
    for (const std::string& name : features_.enabled(index, arc.name)) {
      const auto& info = dataplane_.graph().node(dataplane_.graph().find(name)).description.feature;
      Feature m;
      m.set_arc(arc.name);
      m.set_feature(name);
      std::string why = info->first ? "first" : "";
      if (!info->after.empty()) why += fmt::format("{}after {}", why.empty() ? "" : ", ", info->after);
      if (!info->before.empty()) why += fmt::format("{}before {}", why.empty() ? "" : ", ", info->before);
      m.set_constraint(why.empty() ? "by name" : why);
      co_yield m;
    }
  }
}

Stream<Placement> InterfaceService::show_placement(const InterfaceQuery& query) {
  for (const std::string& name : names(query.name())) {
    const InterfaceEntry* e = interfaces_.find(name);
    if (!e) continue;
    std::vector<Placement> rows;
    for (const RxPlacement& p : e->placement) {
      Placement m;
      m.set_interface(e->name);
      m.set_queue(p.queue);
      m.set_worker(p.worker);
      m.set_mode(std::string(mode_name(e->rx_mode)));
      rows.push_back(m);
    }
    for (const Placement& m : rows) co_yield m;
  }
}

Status InterfaceService::set_state(const StateRequest& request, Done& done, CallContext& call) {
  const auto e = entry(request.name());
  if (!e.ok()) return e.status();
  const InterfaceIndex index = (*e)->index;
  return report(call.dry_run() ? (*e)->admin_up != request.up() : interfaces_.set_state(index, request.up()), done);
}

Status InterfaceService::set_mtu(const MtuRequest& request, Done& done, CallContext& call) {
  const auto e = entry(request.name());
  if (!e.ok()) return e.status();
  const InterfaceIndex index = (*e)->index;
  return report(
      call.dry_run() ? interfaces_.would_set_mtu(index, request.mtu()) : interfaces_.set_mtu(index, request.mtu()),
      done);
}

Status InterfaceService::check_free(const InterfaceEntry& entry, const IpAddress& address) const {
  for (const InterfaceEntry* other : interfaces_.list()) {
    if (other->table != entry.table || other == &entry) continue;
    for (const InterfaceAddress& a : other->addresses) {
      if (a.address == address) {
        return exists("address {} is on interface {} of the same table {}; delete it there first", address.to_string(),
                      other->name, other->table);
      }
    }
  }
  if (!routes_) return {};
  for (const auto& [source, spec] : routes_->wanted(entry.table, IpPrefix::host(address))) {
    if (source == RouteSource::Pod) {
      return exists("address {} in table {}: behind interface {} a pod or the host has it; choose another",
                    address.to_string(), entry.table, interfaces_.name(spec.next_hops.front().interface));
    }
  }
  return {};
}

Status InterfaceService::add_address(const AddressRequest& request, Done& done, CallContext& call) {
  const auto e = entry(request.name());
  if (!e.ok()) return e.status();
  const auto address = parse_address(request.address());
  if (!address.ok()) return address.status();
  if (auto status = check_free(**e, address->address); !status.ok()) return status;
  const auto& all = (*e)->addresses;
  if (call.dry_run()) return report(std::find(all.begin(), all.end(), *address) == all.end(), done);
  return report(interfaces_.add_address((*e)->index, *address), done);
}

Status InterfaceService::delete_address(const AddressRequest& request, Done& done, CallContext& call) {
  const auto e = entry(request.name());
  if (!e.ok()) return e.status();
  const auto address = parse_address(request.address());
  if (!address.ok()) return address.status();
  const auto& all = (*e)->addresses;
  if (std::find(all.begin(), all.end(), *address) == all.end()) {
    return not_found("interface {} has no address {}; show interface address lists them", request.name(),
                     request.address());
  }
  if (call.dry_run()) return {};
  return report(interfaces_.remove_address((*e)->index, *address), done);
}

Status InterfaceService::set_rx_mode(const RxModeRequest& request, Done& done, CallContext& call) {
  const auto e = entry(request.name());
  if (!e.ok()) return e.status();
  const InterfaceIndex index = (*e)->index;
  const sluice::RxMode mode = from_message(request.mode());
  return report(call.dry_run() ? interfaces_.would_set_rx_mode(index, mode) : interfaces_.set_rx_mode(index, mode),
                done);
}

Status InterfaceService::set_rx_placement(const RxPlacementRequest& request, Done& done, CallContext& call) {
  const auto e = entry(request.name());
  if (!e.ok()) return e.status();
  const InterfaceIndex index = (*e)->index;
  std::optional<std::uint16_t> queue;
  if (request.has_queue()) queue = static_cast<std::uint16_t>(request.queue());
  return report(call.dry_run() ? interfaces_.would_set_rx_placement(index, queue, request.worker())
                               : interfaces_.set_rx_placement(index, queue, request.worker()),
                done);
}

Status InterfaceService::set_rss(const RssRequest& request, Done& done, CallContext& call) {
  const auto e = entry(request.name());
  if (!e.ok()) return e.status();
  const InterfaceEntry& in = **e;
  if (request.on()) {
    if (!in.device) return failed_precondition("interface {} has no receive queues of its own", in.name);
    if (in.link != LinkLayer::Ethernet) {
      return failed_precondition(
          "interface {} has no Ethernet header: its driver makes a queue for each worker, and the "
          "kernel spreads its flows",
          in.name);
    }
    const auto& info = in.device->info();
    if (info.spreads_flows && info.rx_queues >= dataplane_.worker_count()) {
      return failed_precondition("interface {}: the device itself spreads flows over its {} queues", in.name,
                                 info.rx_queues);
    }
  }
  FeatureRequest feature;
  feature.set_interface(request.name());
  feature.set_feature(std::string(FlowHandoff::kInfo.name));
  feature.set_on(request.on());
  return set_feature(feature, done, call);
}

Status InterfaceService::create_vlan(const VlanRequest& request, Done& done, CallContext& call) {
  const auto parent = entry(request.parent());
  if (!parent.ok()) return parent.status();
  const auto outer = static_cast<std::uint16_t>(request.vlan());
  const auto inner = static_cast<std::uint16_t>(request.inner());
  std::string name = request.name();
  if (name.empty()) name = fmt::format("{}.{}{}", request.parent(), outer, inner ? fmt::format(".{}", inner) : "");
  if (const InterfaceEntry* same = interfaces_.find(name)) {
    if (same->parent == (*parent)->index && same->outer_vlan == outer && same->inner_vlan == inner) {
      done.set_unchanged(true);
      return {};
    }
    return exists("interface {} exists and is {}, not VLAN {}{} of {}", name,
                  same->detail.empty() ? same->driver : same->detail, outer, inner ? fmt::format(".{}", inner) : "",
                  request.parent());
  }
  if (call.dry_run()) return interfaces_.would_create_vlan(name, (*parent)->index, outer, inner);
  const auto made = interfaces_.create_vlan(name, (*parent)->index, outer, inner);
  if (!made.ok()) return made.status();
  done.set_text(fmt::format("interface {} created", name));
  return {};
}

Status InterfaceService::delete_interface(const DeleteRequest& request, Done&, CallContext& call) {
  const auto e = entry(request.name());
  if (!e.ok()) return e.status();
  if (const std::string& owner = (*e)->owner; !owner.empty()) {
    return failed_precondition("interface {0} belongs to a {1}; use delete {1} {2}", request.name(), owner,
                               request.name().substr(request.name().find('/') + 1));
  }
  if (call.dry_run()) return {};
  return interfaces_.remove((*e)->index, {});
}

Status InterfaceService::set_feature(const FeatureRequest& request, Done& done, CallContext& call) {
  const auto e = entry(request.interface());
  if (!e.ok()) return e.status();
  const InterfaceIndex index = (*e)->index;
  if (call.dry_run()) return report(features_.would_set(index, request.feature(), request.on()), done);
  return report(request.on() ? features_.enable(index, request.feature()) : features_.disable(index, request.feature()),
                done);
}

}  // namespace sluice::interface
