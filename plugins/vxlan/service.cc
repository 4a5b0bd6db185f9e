// SPDX-License-Identifier: Apache-2.0
#include "service.h"

#include <sluice/tunnel/policy.h>

#include <algorithm>

namespace sluice::vxlan {
namespace {

StatusOr<Options> options_of(const Interface& request) {
  Options options;
  options.name = request.name();
  options.vni = request.vni();
  const auto local = IpAddress::parse(request.local());
  if (!local.ok()) return local.status();
  options.local = *local;
  if (!request.remote().empty()) {
    const auto remote = IpAddress::parse(request.remote());
    if (!remote.ok()) return remote.status();
    options.remote = *remote;
  }
  const auto policy = parse_tunnel_policy(request.ttl(), request.dscp(), request.df());
  if (!policy.ok()) return policy.status();
  options.policy = *policy;
  options.policy.cross_subnet = request.cross_subnet();
  const std::string& checksum = request.udp_checksum();
  if (checksum != "auto" && checksum != "set" && checksum != "zero")
    return refused("udp-checksum '{}': must be auto, set or zero", checksum);
  // RFC 6935 lets tunnels leave it out in IPv6 too, but Linux drops such packets unless told not to.
  options.policy.udp_checksum = checksum == "set" || (checksum == "auto" && options.local.is_ip6());
  options.port = static_cast<std::uint16_t>(request.port());
  options.table = request.table();
  const std::uint32_t overhead = VxlanDevice::overhead(options.local);
  options.mtu = request.mtu() ? request.mtu() : VxlanDevice::kUnderlayMtu - overhead;
  if (options.mtu > 65535 - overhead)
    return refused("mtu {}: must be at most {}, with room for the headers", options.mtu, 65535 - overhead);
  options.mac = local_mac(options.name);
  if (!request.mac().empty()) {
    const auto mac = MacAddress::parse(request.mac());
    if (!mac.ok()) return mac.status();
    if (mac->is_multicast() || mac->is_zero()) return refused("mac {}: not a station's address", *mac);
    options.mac = *mac;
  }
  return options;
}

}  // namespace

void Service::offer(Api& api) {
  api.service("sluice.vxlan.Vxlan")
      .unary("Create", this, &Service::create)
      .unary("AddFdb", this, &Service::add_fdb)
      .unary("DeleteFdb", this, &Service::remove_fdb)
      .stream("Show", this, &Service::show)
      .stream("ShowFdb", this, &Service::show_fdb);
}

Status Service::create(const Interface& request, Done& done, CallContext& call) {
  const auto options = options_of(request);
  if (!options.ok()) return options.status();
  const auto there = is_there<VxlanDevice>(context_.interfaces(), request.name(), "vxlan", *options);
  if (!there.ok()) return there.status();
  if (*there) {
    done.set_unchanged(true);
    return {};
  }
  return call.dry_run() ? tunnels_.would_create(*options) : tunnels_.create(*options);
}

StatusOr<Link*> Service::find(const std::string& name) {
  if (Link* link = tunnels_.find(name)) return link;
  return not_found("interface {}: no VXLAN tunnel; show vxlan tunnel lists them", name);
}

Status Service::add_fdb(const FdbRequest& request, Done& done, CallContext& call) {
  const auto link = find(request.interface());
  if (!link.ok()) return link.status();
  const auto mac = MacAddress::parse(request.mac());
  if (!mac.ok()) return mac.status();
  const auto remote = IpAddress::parse(request.remote());
  if (!remote.ok()) return remote.status();
  const auto added = tunnels_.add_address(**link, *mac, *remote, call.dry_run());
  if (!added.ok()) return added.status();
  done.set_unchanged(!*added);
  return {};
}

Status Service::remove_fdb(const DeleteFdbRequest& request, Done& done, CallContext& call) {
  const auto link = find(request.interface());
  if (!link.ok()) return link.status();
  const auto mac = MacAddress::parse(request.mac());
  if (!mac.ok()) return mac.status();
  const auto removed = tunnels_.remove_address(**link, *mac, call.dry_run());
  if (!removed.ok()) return removed.status();
  done.set_unchanged(!*removed);
  return {};
}

vxlan::Tunnel Service::describe(const Link& link, const InterfaceEntry& entry) const {
  const Options& options = link.options;
  vxlan::Tunnel row;
  row.set_name(entry.name);
  row.set_vni(options.vni);
  row.set_state(entry.admin_up ? "up" : "down");
  row.set_local(options.local.to_string());
  row.set_port(options.port);
  row.set_table(options.table);
  row.set_mtu(entry.mtu);
  row.set_mac(entry.mac.to_string());
  row.set_ttl(ttl_text(options.policy));
  row.set_dscp(dscp_text(options.policy));
  row.set_df(df_text(options.policy));
  row.set_udp_checksum(options.policy.udp_checksum);
  row.set_cross_subnet(options.policy.cross_subnet);
  const auto count = [&](InterfaceCounter counter) { return context_.interfaces().counter(entry.index, counter); };
  row.set_rx_packets(count(InterfaceCounter::RxPackets));
  row.set_rx_bytes(count(InterfaceCounter::RxBytes));
  row.set_tx_packets(count(InterfaceCounter::TxPackets));
  row.set_tx_bytes(count(InterfaceCounter::TxBytes));
  row.set_drops(count(InterfaceCounter::Drops));
  return row;
}

void Service::describe(const Link& link, const IpAddress& remote, const TunnelPeer& peer, vxlan::Tunnel& row) {
  row.set_remote(remote.to_string());
  row.set_way((peer.direct() ? "direct " : "") + peer.way());
  row.set_mtu(std::min(row.mtu(), peer.mtu()));
  row.set_addresses(static_cast<std::uint32_t>(std::count_if(link.addresses.begin(), link.addresses.end(),
                                                             [&](const auto& each) { return each.second == remote; })));
}

// By key: tunnels and what they have may come and go between two replies.
Stream<vxlan::Tunnel> Service::show(const TunnelQuery& query) {
  if (!query.name().empty() && !tunnels_.find(query.name()))
    co_yield not_found("interface {}: no VXLAN tunnel; show vxlan tunnel lists them", query.name());
  const auto& all = tunnels_.all();
  for (auto it = all.begin(); it != all.end();) {
    const InterfaceIndex at = it->first;
    const InterfaceEntry* entry = context_.interfaces().find(at);
    if (entry && (query.name().empty() || entry->name == query.name())) {
      if (it->second.remotes.empty()) co_yield describe(it->second, *entry);
      std::optional<IpAddress> last;
      for (it = all.find(at); it != all.end(); it = all.find(at)) {
        const auto& remotes = it->second.remotes;
        const auto remote = last ? remotes.upper_bound(*last) : remotes.begin();
        entry = context_.interfaces().find(at);
        if (remote == remotes.end() || !entry) break;
        last = remote->first;
        vxlan::Tunnel row = describe(it->second, *entry);
        describe(it->second, remote->first, *remote->second, row);
        co_yield row;
      }
    }
    it = all.upper_bound(at);
  }
}

Stream<FdbEntry> Service::show_fdb(const TunnelQuery& query) {
  if (!query.name().empty() && !tunnels_.find(query.name()))
    co_yield not_found("interface {}: no VXLAN tunnel; show vxlan tunnel lists them", query.name());
  const auto& all = tunnels_.all();
  for (auto it = all.begin(); it != all.end();) {
    const InterfaceIndex at = it->first;
    const std::string name = context_.interfaces().name(at);
    std::optional<MacAddress> last;
    for (it = all.find(at); it != all.end() && (query.name().empty() || name == query.name()); it = all.find(at)) {
      const auto& addresses = it->second.addresses;
      const auto each = last ? addresses.upper_bound(*last) : addresses.begin();
      if (each == addresses.end()) break;
      last = each->first;
      FdbEntry row;
      row.set_interface(name);
      row.set_mac(each->first.to_string());
      row.set_remote(each->second.to_string());
      co_yield row;
    }
    it = all.upper_bound(at);
  }
}

}  // namespace sluice::vxlan
