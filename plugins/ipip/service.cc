// SPDX-License-Identifier: Apache-2.0
#include "service.h"

#include <sluice/tunnel/policy.h>

namespace sluice::ipip {

void Service::offer(Api& api) {
  api.service("sluice.ipip.Ipip")
      .unary("Create", this, &Service::create)
      .unary("AddRemote", this, &Service::add_remote)
      .unary("DeleteRemote", this, &Service::remove_remote)
      .stream("Show", this, &Service::show);
}

Status Service::create(const Interface& request, Done& done, CallContext& call) {
  Options options;
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
  options.table = request.table();
  options.mtu = request.mtu() ? request.mtu() : IpipDevice::kUnderlayMtu - IpipDevice::overhead(options.local);
  const std::uint32_t most = 65535 - IpipDevice::overhead(options.local);
  if (options.mtu > most)
    return refused("mtu {}: must be at most {}, with room for the outer header", options.mtu, most);
  const auto there = is_there<IpipDevice>(context_.interfaces(), request.name(), "ipip", options);
  if (!there.ok()) return there.status();
  if (*there) {
    done.set_unchanged(true);
    return {};
  }
  return call.dry_run() ? tunnels_.would_create(request.name(), options) : tunnels_.create(request.name(), options);
}

StatusOr<Link*> Service::find(const std::string& name) {
  if (Link* link = tunnels_.find(name)) return link;
  return not_found("interface {}: no IPIP tunnel; show ipip tunnel lists them", name);
}

Status Service::add_remote(const RemoteRequest& request, Done& done, CallContext& call) {
  const auto link = find(request.interface());
  if (!link.ok()) return link.status();
  const auto remote = IpAddress::parse(request.remote());
  if (!remote.ok()) return remote.status();
  std::set<IpAddress> next_hops;
  for (const std::string& text : request.next_hop()) {
    const auto hop = IpAddress::parse(text);
    if (!hop.ok()) return hop.status();
    next_hops.insert(*hop);
  }
  const auto added = tunnels_.add_remote(**link, *remote, std::move(next_hops), call.dry_run());
  if (!added.ok()) return added.status();
  done.set_unchanged(!*added);
  return {};
}

Status Service::remove_remote(const DeleteRemoteRequest& request, Done& done, CallContext& call) {
  const auto link = find(request.interface());
  if (!link.ok()) return link.status();
  const auto remote = IpAddress::parse(request.remote());
  if (!remote.ok()) return remote.status();
  const auto removed = tunnels_.remove_remote(**link, *remote, call.dry_run());
  if (!removed.ok()) return removed.status();
  done.set_unchanged(!*removed);
  return {};
}

Stream<ipip::Tunnel> Service::show(const TunnelQuery& query) {
  if (!query.name().empty() && !tunnels_.find(query.name()))
    co_yield not_found("interface {}: no IPIP tunnel; show ipip tunnel lists them", query.name());
  // By key: tunnels and remotes may come and go between two replies.
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
        ipip::Tunnel row = describe(it->second, *entry);
        describe(remote->first, remote->second, row);
        co_yield row;
      }
    }
    it = all.upper_bound(at);
  }
}

ipip::Tunnel Service::describe(const Link& link, const InterfaceEntry& entry) const {
  ipip::Tunnel row;
  row.set_name(entry.name);
  row.set_state(entry.admin_up ? "up" : "down");
  row.set_local(link.options.local.to_string());
  row.set_table(link.options.table);
  row.set_mtu(entry.mtu);
  row.set_ttl(ttl_text(link.options.policy));
  row.set_dscp(dscp_text(link.options.policy));
  row.set_df(df_text(link.options.policy));
  row.set_cross_subnet(link.options.policy.cross_subnet);
  const auto count = [&](InterfaceCounter counter) { return context_.interfaces().counter(entry.index, counter); };
  row.set_rx_packets(count(InterfaceCounter::RxPackets));
  row.set_rx_bytes(count(InterfaceCounter::RxBytes));
  row.set_tx_packets(count(InterfaceCounter::TxPackets));
  row.set_tx_bytes(count(InterfaceCounter::TxBytes));
  row.set_drops(count(InterfaceCounter::Drops));
  return row;
}

void Service::describe(const IpAddress& address, const Remote& remote, ipip::Tunnel& row) {
  row.set_remote(address.to_string());
  row.set_way((remote.peer->direct() ? "direct " : "") + remote.peer->way());
  row.set_mtu(std::min(row.mtu(), remote.peer->mtu()));
  for (const IpAddress& hop : remote.next_hops) row.add_next_hop(hop.to_string());
}

}  // namespace sluice::ipip
