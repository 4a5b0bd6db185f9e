// SPDX-License-Identifier: Apache-2.0
#include "tunnels.h"

#include <sluice/log.h>
#include <sluice/net/protocol.h>
#include <sluice/tunnel/policy.h>

#include <algorithm>

namespace sluice::ipip {
namespace {

constexpr std::chrono::seconds kTick{5};
constexpr std::pair<IpFamily, std::uint8_t> kProtocols[] = {{IpFamily::Ip4, kIpProtocolIpIp},
                                                            {IpFamily::Ip4, kIpProtocolIp6},
                                                            {IpFamily::Ip6, kIpProtocolIpIp},
                                                            {IpFamily::Ip6, kIpProtocolIp6}};

}  // namespace

std::string differences(const Options& present, const Options& wanted) {
  Differences all;
  all.compare("local", present.local, wanted.local)
      .compare("remote", present.remote, wanted.remote)
      .compare("table", present.table, wanted.table)
      .compare("mtu", present.mtu, wanted.mtu);
  compare_policies(all, present.policy, wanted.policy);
  return all.text();
}

Tunnels::Tunnels(Context& context, State& state) : context_(context), state_(state) {
  context_.interfaces().listen([this](Interfaces::Event event, const InterfaceEntry& entry, const InterfaceAddress*) {
    on_interface(event, entry);
  });
}

Status Tunnels::start() {
  decap_ = context_.graph().find("ipip-decap");
  state_.arcs = TunnelArcs::of(context_.graph());
  errors_ = context_.graph().find("ipip-errors");
  timer_ = context_.every(kTick, [this] {
    for (auto& [_, tunnel] : tunnels_) {
      for (auto& [address, remote] : tunnel.remotes) remote.peer->age(TunnelPeer::Clock::now());
    }
  });
  return {};
}

void Tunnels::stop() {
  timer_.reset();
  state_.encap.publish(std::make_unique<EncapTable>());
  state_.decap.publish(std::make_unique<DecapTable>());
  tunnels_.clear();
  pairs_.clear();
}

Status Tunnels::check_pair(const IpAddress& local, const IpAddress& remote, std::uint32_t table) const {
  if (const auto taken = pairs_.find({remote, local, table}); taken != pairs_.end()) {
    return exists("local {} remote {}: tunnel {} has these addresses, and what comes from there is its own", local,
                  remote, context_.interfaces().name(taken->second));
  }
  if (pairs_.size() >= kMaxRemotes) return exhausted("there are {} remotes, the most; delete one first", kMaxRemotes);
  return {};
}

Status Tunnels::would_create(const std::string& name, const Options& options) const {
  if (!context_.routes() || !context_.local()) return failed_precondition("tunnels need the IP stack");
  if (auto status = check_tunnel_local(options.local); !status.ok()) return status;
  if (options.remote) {
    if (auto status = check_tunnel_ends(options.local, *options.remote); !status.ok()) return status;
    if (auto status = check_pair(options.local, *options.remote, options.table); !status.ok()) return status;
  }
  return context_.interfaces().would_create(name);
}

Status Tunnels::create(const std::string& name, const Options& options) {
  if (auto status = would_create(name, options); !status.ok()) return status;
  const auto index = context_.interfaces().create(name, std::make_unique<IpipDevice>(options));
  if (!index.ok()) return index.status();
  if (tunnels_.empty()) listen_for_packets(true);
  Link& tunnel = tunnels_[*index];
  tunnel.interface = *index;
  tunnel.options = options;
  if (!options.remote) return {};
  if (auto status = connect(tunnel, *options.remote, {}); !status.ok()) {
    (void)context_.interfaces().remove(*index);
    return status;
  }
  return {};
}

/// What strangers send is dropped here while there are tunnels; before that it is the host's.
void Tunnels::listen_for_packets(bool on) {
  for (const auto& [family, protocol] : kProtocols) {
    const Status status = on ? context_.local()->add_protocol(family, protocol, decap_, errors_)
                             : context_.local()->remove_protocol(family, protocol);
    if (!status.ok()) log(LogLevel::Warning, "IPIP packets go elsewhere", field("reason", text(status)));
  }
}

Status Tunnels::connect(Link& tunnel, const IpAddress& remote, std::set<IpAddress> next_hops) {
  const TunnelEnds ends{tunnel.options.local, remote, tunnel.options.table};
  auto peer = TunnelPeer::create(context_, tunnel.interface, ends, tunnel.options.policy,
                                 {.protocol = kIpProtocolIpIp, .behind = {}});
  if (!peer.ok()) return peer.status();
  state_.decap.update([&](DecapTable& table) {
    const std::uint64_t id = (*peer)->remote()->table.value;
    if (remote.is_ip6()) {
      table.ip6.set(TunnelKey6::of(remote.ip6(), ends.local.ip6(), id), tunnel.interface);
    } else {
      table.ip4.set(TunnelKey4::of(remote.ip4(), ends.local.ip4(), id), tunnel.interface);
    }
  });
  pairs_[{remote, ends.local, ends.table}] = tunnel.interface;
  tunnel.remotes[remote] = {std::move(*peer), std::move(next_hops)};
  publish_encap();
  return {};
}

void Tunnels::publish_encap() {
  auto table = std::make_unique<EncapTable>();
  for (const auto& [interface, tunnel] : tunnels_) {
    for (const auto& [address, remote] : tunnel.remotes) {
      if (tunnel.options.remote) {
        if (table->by_slot.size() <= interface.slot()) table->by_slot.resize(interface.slot() + 1);
        table->by_slot[interface.slot()] = remote.peer->remote();
        continue;
      }
      const auto number = static_cast<std::uint32_t>(table->remotes.size());
      table->remotes.push_back(remote.peer->remote());
      for (const IpAddress& hop : remote.next_hops) {
        if (hop.is_ip6()) {
          table->next_hops6.set(EncapTable::key(hop.ip6(), interface), interface, number);
        } else {
          table->next_hops4.set(EncapTable::key(hop.ip4(), interface), interface, number);
        }
      }
    }
  }
  state_.encap.publish(std::move(table));
}

StatusOr<bool> Tunnels::add_remote(Link& tunnel, const IpAddress& remote, std::set<IpAddress> next_hops, bool dry_run) {
  const std::string name = context_.interfaces().name(tunnel.interface);
  if (tunnel.options.remote) {
    return failed_precondition("tunnel {} leads to {} alone; create one without remote to add some", name,
                               *tunnel.options.remote);
  }
  if (auto status = check_tunnel_ends(tunnel.options.local, remote); !status.ok()) return status;
  if (next_hops.empty()) next_hops.insert(remote);
  for (const IpAddress& hop : next_hops) {
    if (hop.is_unspecified() || hop.is_multicast()) return refused("next-hop {}: no host's address", hop);
  }
  if (const auto there = tunnel.remotes.find(remote); there != tunnel.remotes.end()) {
    if (there->second.next_hops == next_hops) return false;
    return exists("remote {} of {} has other next hops; delete it first", remote, name);
  }
  for (const auto& [address, other] : tunnel.remotes) {
    for (const IpAddress& hop : next_hops) {
      if (other.next_hops.contains(hop)) return exists("next-hop {} of {} leads to remote {}", hop, name, address);
    }
  }
  if (auto status = check_pair(tunnel.options.local, remote, tunnel.options.table); !status.ok()) return status;
  if (dry_run) return true;
  if (auto status = connect(tunnel, remote, std::move(next_hops)); !status.ok()) return status;
  return true;
}

StatusOr<bool> Tunnels::remove_remote(Link& tunnel, const IpAddress& remote, bool dry_run) {
  if (tunnel.options.remote) {
    return failed_precondition("tunnel {} has no other remote than {}; delete the interface",
                               context_.interfaces().name(tunnel.interface), *tunnel.options.remote);
  }
  const auto it = tunnel.remotes.find(remote);
  if (it == tunnel.remotes.end()) return false;
  if (dry_run) return true;
  forget(tunnel, remote);
  const auto gone = tunnel.remotes.extract(it);
  publish_encap();  // before the peer ends
  return true;
}

void Tunnels::forget(const Link& tunnel, const IpAddress& remote) {
  const TunnelPeer& peer = *tunnel.remotes.at(remote).peer;
  pairs_.erase({remote, tunnel.options.local, tunnel.options.table});
  state_.decap.update([&](DecapTable& table) {
    const std::uint64_t id = peer.remote()->table.value;
    if (remote.is_ip6()) {
      table.ip6.erase(TunnelKey6::of(remote.ip6(), tunnel.options.local.ip6(), id));
    } else {
      table.ip4.erase(TunnelKey4::of(remote.ip4(), tunnel.options.local.ip4(), id));
    }
  });
}

Link* Tunnels::find(std::string_view name) {
  const InterfaceEntry* entry = context_.interfaces().find(name);
  const auto it = entry ? tunnels_.find(entry->index) : tunnels_.end();
  return it == tunnels_.end() ? nullptr : &it->second;
}

void Tunnels::path_mtu(const PathMtu& found) {
  for (auto& [interface, tunnel] : tunnels_) {
    const auto it = tunnel.remotes.find(found.remote);
    if (tunnel.options.local != found.local || it == tunnel.remotes.end()) continue;
    if (it->second.peer->remote()->table == found.table) it->second.peer->path_mtu(found.mtu, TunnelPeer::Clock::now());
  }
}

void Tunnels::on_interface(Interfaces::Event event, const InterfaceEntry& entry) {
  if (event == Interfaces::Event::MtuChanged) {
    for (auto& [_, tunnel] : tunnels_) {
      for (auto& [address, remote] : tunnel.remotes) remote.peer->update();
    }
  }
  if (event != Interfaces::Event::Deleted) return;
  const auto it = tunnels_.find(entry.index);
  if (it == tunnels_.end()) return;
  for (const auto& [remote, _] : it->second.remotes) forget(it->second, remote);
  const auto gone = tunnels_.extract(it);
  publish_encap();  // before the peers end
  if (tunnels_.empty()) listen_for_packets(false);
}

}  // namespace sluice::ipip
