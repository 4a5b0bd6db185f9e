// SPDX-License-Identifier: Apache-2.0
#include "pods.h"

#include <sluice/log.h>

#include <utility>

namespace sluice::pod {
namespace {

// Next hops inside the pod. Nobody has them and nobody asks for them: a TUN has no neighbours.
constexpr const char* kNextHop4 = "169.254.1.1";
constexpr const char* kNextHop6 = "fe80::1";
constexpr std::string_view kOwner = "pod";

TunOptions tun_options(const PodSpec& spec, unsigned workers) {
  TunOptions options;
  options.host_name = spec.host_name;
  options.namespace_path = spec.namespace_path;
  options.queues = static_cast<std::uint16_t>(workers);
  options.mtu = spec.mtu;
  options.persistent = true;
  for (const IpPrefix& prefix : spec.prefixes()) options.host_addresses.push_back(prefix.to_string());
  return options;
}

// Last of all, so that nothing the pod sends finds us half-way.
Status set_up_inside(const PodSpec& spec) {
  const auto netlink = host::Netlink::open(spec.namespace_path);
  if (!netlink.ok()) return netlink.status();
  if (Status status = netlink->set_up(spec.host_name, true); !status.ok()) return status;
  if (spec.ip4) {
    const host::Route route{.destination = "default4", .gateway = kNextHop4, .onlink = true};
    if (Status status = netlink->add_route(spec.host_name, route); !status.ok()) return status;
  }
  if (!spec.ip6) return {};
  return netlink->add_route(spec.host_name, {.destination = "default6", .gateway = kNextHop6});
}

}  // namespace

Pods::Pods(Registry& registry, Context& context)
    : context_(context), driver_(registry, "tun", LinkLayer::Ip), sources_(context.rcu()) {
  context_.interfaces().listen([this](Interfaces::Event event, const InterfaceEntry& entry, const InterfaceAddress*) {
    if (event == Interfaces::Event::Deleted) deleted(entry.index);
  });
}

void Pods::stop() {
  driver_.end();
  while (!pods_.empty()) remove(std::string(pods_.begin()->first), false);
}

StatusOr<bool> Pods::create(const PodSpec& spec, bool dry_run) {
  if (const auto it = pods_.find(spec.name); it != pods_.end()) {
    const std::string other = differences(it->second.spec, spec);
    if (!other.empty()) return exists("pod {} exists; the request differs: {}; delete it first", spec.name, other);
    const auto id = host::namespace_id(spec.namespace_path);
    if (!id.ok()) return id.status();
    if (*id == it->second.id) return false;
  }
  if (Status status = check(spec); !status.ok()) return status;
  if (dry_run) return true;
  // Here only when another namespace has the path now; the one that had it is gone, and the pod in it.
  remove(spec.name, false);
  auto device = driver_.open(tun_options(spec, context_.workers()));
  if (!device.ok()) return device.status();
  const bool attached = (*device)->attached();
  Pod pod{.spec = spec, .device = device->get()};
  // What a crash has left stays when something is refused from here on.
  pod.device->keep(attached);
  const auto index = context_.interfaces().create(spec.interface_name(), std::move(*device), kOwner);
  if (!index.ok()) return index.status();
  pod.interface = *index;
  if (Status status = connect(pod); !status.ok()) {
    (void)context_.interfaces().remove(pod.interface);
    return status;
  }
  pod.device->keep(false);
  if (on_change) on_change();
  log(LogLevel::Info, attached ? "pod attached again" : "pod created", field("pod", spec.name),
      field("netns", spec.namespace_path), field("interface", spec.interface_name()));
  return true;
}

Status Pods::check(const PodSpec& spec) const {
  if (context_.unprivileged())
    return failed_precondition("pods need a privileged daemon; start sluiced as root, without --unprivileged");
  if (!context_.routes()) return failed_precondition("pods need the IP stack");
  if (!pods_.contains(spec.name)) {
    if (Status status = context_.interfaces().would_create(spec.interface_name(), kOwner); !status.ok()) return status;
  }
  if (Status status = check_addresses(spec); !status.ok()) return status;
  if (const auto id = host::namespace_id(spec.namespace_path); id.ok()) {
    for (const auto& [name, other] : pods_) {
      if (name != spec.name && other.id == *id && other.spec.host_name == spec.host_name)
        return exists("interface {} in namespace {}: pod {} has it; choose another with interface NAME", spec.host_name,
                      spec.namespace_path, name);
    }
  }
  return driver_.check(tun_options(spec, context_.workers()));
}

Status Pods::check_addresses(const PodSpec& spec) const {
  const auto taken = [&](const IpPrefix& prefix, const std::string& by) {
    return exists("address {} in table {}: {} has it; choose another", prefix.address.to_string(), spec.table, by);
  };
  for (const auto& [name, other] : pods_) {
    if (other.spec.table != spec.table || name == spec.name) continue;
    if (spec.ip4 && other.spec.ip4 == spec.ip4) return taken(IpPrefix::host(*spec.ip4), "pod " + name);
    if (spec.ip6 && other.spec.ip6 == spec.ip6) return taken(IpPrefix::host(*spec.ip6), "pod " + name);
  }
  for (const IpPrefix& prefix : spec.prefixes()) {
    const auto route = context_.routes()->find(spec.table, prefix);
    if (route && route->source == RouteSource::Local) return taken(prefix, "this node itself");
    if (route && route->source == RouteSource::Pod && !pods_.contains(spec.name)) return taken(prefix, "the host tap");
    if (route && route->source == RouteSource::Connected)
      return refused(
          "address {}: it is the first or the last of a subnet of this node, which no host has; choose another",
          prefix.address.to_string());
  }
  return {};
}

// Everything behind the interface: table, guard, routes, state. The caller undoes it by removing the interface.
Status Pods::connect(Pod& pod) {
  const auto id = host::namespace_id(pod.spec.namespace_path);
  if (!id.ok()) return id.status();
  pod.id = *id;
  const auto slot = context_.routes()->table(pod.spec.table);
  if (!slot.ok()) return slot.status();
  Interfaces& interfaces = context_.interfaces();
  if (auto set = interfaces.set_table(pod.interface, pod.spec.table, *slot, *slot); !set.ok()) return set.status();
  pods_[pod.spec.name] = pod;
  guard(pod, true);
  for (const char* feature : {"ip4-pod-source-guard", "ip6-pod-source-guard"}) {
    if (auto on = context_.features().enable(pod.interface, feature); !on.ok()) return on.status();
  }
  if (auto up = interfaces.set_state(pod.interface, true); !up.ok()) return up.status();
  if (Status status = add_routes(pod); !status.ok()) return status;
  return set_up_inside(pod.spec);
}

Status Pods::add_routes(const Pod& pod) {
  RouteSpec to_pod;
  to_pod.next_hops.push_back({.via = std::nullopt, .interface = pod.interface});
  for (const IpPrefix& prefix : pod.spec.prefixes()) {
    const auto added = context_.routes()->add(pod.spec.table, prefix, RouteSource::Pod, to_pod);
    if (!added.ok()) return added.status();
  }
  return {};
}

bool Pods::remove(const std::string& name, bool dry_run) {
  const auto it = pods_.find(name);
  if (it == pods_.end()) return false;
  if (dry_run) return true;
  // Not by the name in the map, which goes with the interface.
  const std::string shown = name;
  (void)context_.interfaces().remove(it->second.interface);
  log(LogLevel::Info, "pod deleted", field("pod", shown));
  return true;
}

// Whoever removed the interface (delete pod, a namespace that is gone, an attempt that failed), the rest follows.
void Pods::deleted(InterfaceIndex interface) {
  for (auto it = pods_.begin(); it != pods_.end(); ++it) {
    if (it->second.interface != interface) continue;
    const Pod pod = it->second;
    pods_.erase(it);
    withdraw(pod);
    if (on_change) on_change();
    return;
  }
}

void Pods::withdraw(const Pod& pod) {
  for (const IpPrefix& prefix : pod.spec.prefixes()) {
    const auto route = context_.routes()->find(pod.spec.table, prefix);
    const bool own = route && !route->spec.next_hops.empty() && route->spec.next_hops[0].interface == pod.interface;
    if (own) context_.routes()->remove(pod.spec.table, prefix, RouteSource::Pod);
  }
  guard(pod, false);
  if (Status status = pod.device->withdraw(); !status.ok())
    log(LogLevel::Warning, "pod's interface was not removed", field("pod", pod.spec.name), field("why", text(status)));
}

void Pods::guard(const Pod& pod, bool on) {
  sources_.update([&](SourceTable& table) {
    const std::uint32_t slot = pod.interface.slot();
    if (table.by_slot.size() <= slot) table.by_slot.resize(slot + 1);
    table.by_slot[slot] = {};
    if (!on) return;
    table.by_slot[slot] = {.interface = pod.interface,
                           .has_ip4 = pod.spec.ip4.has_value(),
                           .has_ip6 = pod.spec.ip6.has_value(),
                           .ip4 = pod.spec.ip4.value_or(Ip4Address()),
                           .ip6 = pod.spec.ip6.value_or(Ip6Address())};
  });
}

}  // namespace sluice::pod
