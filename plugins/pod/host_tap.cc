// SPDX-License-Identifier: Apache-2.0
#include "host_tap.h"

#include <sluice/log.h>

#include <algorithm>

namespace sluice::pod {
namespace {

// Behind every default route that the host has of its own.
constexpr std::uint32_t kLastResort = 20000;
// Seconds until what the kernel has refused is tried again.
constexpr int kPatience = 5;

TunOptions tun_options(const PodSpec& spec, unsigned workers) {
  TunOptions options;
  options.host_name = spec.host_name;
  options.queues = static_cast<std::uint16_t>(workers);
  options.mtu = spec.mtu;
  options.persistent = true;
  for (const IpPrefix& prefix : spec.prefixes()) options.host_addresses.push_back(prefix.to_string());
  return options;
}

std::string differences_of(const PodSpec& present, const PodSpec& wanted) {
  return present.name == wanted.name ? differences(present, wanted) : "name " + wanted.name;
}

}  // namespace

HostTap::HostTap(Registry& registry, Context& context, Pods& pods)
    : context_(context), pods_(pods), driver_(registry, "tun", LinkLayer::Ip) {
  context_.interfaces().listen([this](Interfaces::Event event, const InterfaceEntry& entry, const InterfaceAddress*) {
    if (!spec_) return;
    if (event == Interfaces::Event::Deleted && entry.index == interface_) {
      deleted();
    } else if (event == Interfaces::Event::AddressAdded || event == Interfaces::Event::AddressRemoved ||
               event == Interfaces::Event::TableChanged || event == Interfaces::Event::Deleted) {
      sync();
    }
  });
  pods_.on_change = [this] { sync(); };
}

StatusOr<bool> HostTap::create(const PodSpec& spec, bool dry_run) {
  if (spec_) {
    const std::string other = differences_of(*spec_, spec);
    if (!other.empty())
      return exists("host tap {} exists, and there is one at most; the request differs: {}; delete it first",
                    spec_->name, other);
    return false;
  }
  if (Status status = check(spec); !status.ok()) return status;
  if (dry_run) return true;
  auto device = driver_.open(tun_options(spec, context_.workers()));
  if (!device.ok()) return device.status();
  device_ = device->get();
  // What a crash has left stays when something is refused from here on.
  device_->keep(device_->attached());
  const auto index = context_.interfaces().create(spec.name, std::move(*device));
  if (!index.ok()) return index.status();
  if (Status status = connect(spec, *index); !status.ok()) {
    (void)context_.interfaces().remove(*index);
    return status;
  }
  device_->keep(false);
  log(LogLevel::Info, "host tap created", field("interface", spec.name), field("host-name", spec.host_name));
  return true;
}

Status HostTap::check(const PodSpec& spec) const {
  if (context_.unprivileged())
    return failed_precondition("a host tap needs a privileged daemon; start sluiced as root, without --unprivileged");
  if (!context_.routes() || !context_.local()) return failed_precondition("a host tap needs the IP stack");
  if (Status status = context_.interfaces().would_create(spec.name); !status.ok()) return status;
  for (const IpPrefix& prefix : spec.prefixes()) {
    const auto route = context_.routes()->find(spec.table, prefix);
    if (route && (route->source == RouteSource::Local || route->source == RouteSource::Pod))
      return exists("address {}: this node or a pod has it; choose another", prefix.address.to_string());
  }
  return driver_.check(tun_options(spec, context_.workers()));
}

Status HostTap::connect(const PodSpec& spec, InterfaceIndex interface) {
  spec_ = spec;
  interface_ = interface;
  addresses_ = tun_options(spec, 1).host_addresses;
  complaint_.clear();
  // Replies may come in by another interface of the host than the one its routing would choose.
  (void)host::write_sysctl("", fmt::format("ipv4/conf/{}/rp_filter", spec.host_name), "2");
  if (auto up = context_.interfaces().set_state(interface, true); !up.ok()) return up.status();
  RouteSpec to_host;
  to_host.next_hops.push_back({.via = std::nullopt, .interface = interface});
  for (const IpPrefix& prefix : spec.prefixes()) {
    const auto added = context_.routes()->add(spec.table, prefix, RouteSource::Pod, to_host);
    if (!added.ok()) return added.status();
  }
  if (auto punt = context_.local()->set_punt(interface); !punt.ok()) return punt.status();
  const auto netlink = host::Netlink::open("");
  if (!netlink.ok()) return netlink.status();
  if (Status status = netlink->set_up(spec.host_name, true); !status.ok()) return status;
  const auto link = netlink->link(spec.host_name);
  if (!link.ok()) return link.status();
  auto events = host::LinkEvents::open("");
  if (!events.ok()) return events.status();
  link_ = link->index;
  events_.emplace(std::move(*events));
  timer_ = context_.every(std::chrono::seconds(1), [this] { look(); });
  sync();
  return {};
}

bool HostTap::remove(const std::string& name, bool dry_run) {
  if (!spec_ || spec_->name != name) return false;
  if (!dry_run) (void)context_.interfaces().remove(interface_);
  return true;
}

void HostTap::stop() {
  if (spec_) remove(std::string(spec_->name), false);
}

void HostTap::deleted() {
  const PodSpec spec = *spec_;
  spec_.reset();
  for (const IpPrefix& prefix : spec.prefixes()) context_.routes()->remove(spec.table, prefix, RouteSource::Pod);
  (void)context_.local()->set_punt(InterfaceIndex());  // taking it away cannot fail
  timer_.reset();
  events_.reset();
  routes_.clear();
  if (Status status = device_->withdraw(); !status.ok())
    log(LogLevel::Warning, "host tap was not removed", field("interface", spec.name), field("why", text(status)));
  device_ = nullptr;
}

// The host has the node's own addresses too, or it would not take what is punted to it.
std::vector<std::string> HostTap::wanted_addresses() const {
  std::vector<std::string> wanted;
  for (const IpPrefix& prefix : spec_->prefixes()) wanted.push_back(prefix.to_string());
  for (const InterfaceEntry* entry : context_.interfaces().list()) {
    if (entry->table != spec_->table || entry->index == interface_) continue;
    for (const InterfaceAddress& a : entry->addresses) {
      if (!a.address.is_link_local()) wanted.push_back(IpPrefix::host(a.address).to_string());
    }
  }
  return wanted;
}

std::map<std::string, host::Route> HostTap::wanted_routes() const {
  std::map<std::string, host::Route> wanted;
  const auto add = [&](const std::string& destination, std::optional<std::uint32_t> metric) {
    wanted[destination] = {.destination = destination, .metric = metric};
  };
  if (spec_->ip4) add("default4", kLastResort);
  if (spec_->ip6) add("default6", kLastResort);
  for (const auto& [name, pod] : pods_.all()) {
    if (pod.spec.table != spec_->table) continue;
    for (const IpPrefix& prefix : pod.spec.prefixes()) add(prefix.to_string(), std::nullopt);
  }
  for (const InterfaceEntry* entry : context_.interfaces().list()) {
    if (entry->table != spec_->table || entry->index == interface_) continue;
    for (const InterfaceAddress& a : entry->addresses) {
      if (!a.address.is_link_local() && a.length < a.address.bits())
        add(IpPrefix::of(a.address, a.length).to_string(), std::nullopt);
    }
  }
  return wanted;
}

void HostTap::sync() {
  if (!spec_) return;
  in_line_ = false;
  const auto netlink = host::Netlink::open("");
  if (!netlink.ok()) return;
  // Nothing can be added before it is up again, and look() hears when it is.
  if (const auto link = netlink->link(spec_->host_name); link.ok() && !link->up) return;
  std::string trouble;
  const auto took = [&](const Status& status) {
    if (!status.ok() && trouble.empty()) trouble = text(status);
    return status.ok();
  };
  auto addresses = wanted_addresses();
  if (addresses != addresses_) {
    addresses_.clear();
    if (took(netlink->set_addresses(spec_->host_name, addresses))) addresses_ = std::move(addresses);
  }
  const auto wanted = wanted_routes();
  std::erase_if(routes_, [&](const auto& known) {
    return !wanted.contains(known.first) && took(netlink->remove_route(spec_->host_name, known.second));
  });
  for (const auto& [destination, route] : wanted) {
    if (!routes_.contains(destination) && took(netlink->add_route(spec_->host_name, route)))
      routes_.emplace(destination, route);
  }
  in_line_ = trouble.empty();
  if (trouble != complaint_ && !in_line_)
    log(LogLevel::Warning, "host tap", field("interface", spec_->name), field("why", trouble));
  complaint_ = std::move(trouble);
}

void HostTap::look() {
  if (events_->changed(link_)) {
    addresses_.clear();
    routes_.clear();
    waited_ = kPatience;
    in_line_ = false;
  }
  if (in_line_ || ++waited_ < kPatience) return;
  waited_ = 0;
  sync();
}

}  // namespace sluice::pod
