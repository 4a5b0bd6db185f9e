// SPDX-License-Identifier: Apache-2.0
#include "tunnels.h"

#include <sluice/net/protocol.h>
#include <sluice/tunnel/policy.h>

#include <algorithm>

namespace sluice::vxlan {
namespace {

constexpr std::chrono::seconds kTick{5};

}  // namespace

std::string differences(const Options& present, const Options& wanted) {
  Differences all;
  all.compare("vni", present.vni, wanted.vni)
      .compare("local", present.local, wanted.local)
      .compare("remote", present.remote, wanted.remote)
      .compare("port", present.port, wanted.port)
      .compare("table", present.table, wanted.table)
      .compare("mtu", present.mtu, wanted.mtu)
      .compare("mac", present.mac, wanted.mac);
  compare_policies(all, present.policy, wanted.policy);
  return all.text();
}

Tunnels::Tunnels(Context& context, State& state) : context_(context), state_(state) {
  context_.interfaces().listen([this](Interfaces::Event event, const InterfaceEntry& entry, const InterfaceAddress*) {
    on_interface(event, entry);
  });
}

Status Tunnels::start() {
  decap_ = context_.graph().find("vxlan-decap");
  state_.arcs = TunnelArcs::of(context_.graph());
  errors_ = context_.graph().find("vxlan-errors");
  timer_ = context_.every(kTick, [this] {
    for (auto& [_, tunnel] : tunnels_) {
      for (auto& [address, peer] : tunnel.remotes) peer->age(TunnelPeer::Clock::now());
    }
  });
  return {};
}

void Tunnels::stop() {
  timer_.reset();
  state_.encap.publish(std::make_unique<EncapTable>());
  state_.decap.publish(std::make_unique<DecapTable>());
  tunnels_.clear();
  ways_.clear();
}

Status Tunnels::check_way(const Options& options, const IpAddress& remote) const {
  if (auto status = check_tunnel_ends(options.local, remote); !status.ok()) return status;
  if (const auto taken = ways_.find(way_of(options, remote)); taken != ways_.end()) {
    return exists("vni {} local {} remote {}: tunnel {} has them, and what comes from there is its own", options.vni,
                  options.local, remote, context_.interfaces().name(taken->second));
  }
  if (ways_.size() >= kMaxRemotes) return exhausted("there are {} remotes, the most; delete one first", kMaxRemotes);
  return {};
}

Status Tunnels::would_create(const Options& options) const {
  if (!context_.routes() || !context_.local()) return failed_precondition("tunnels need the IP stack");
  if (auto status = check_tunnel_local(options.local); !status.ok()) return status;
  if (options.remote) {
    if (auto status = check_way(options, *options.remote); !status.ok()) return status;
  }
  return context_.interfaces().would_create(options.name);
}

Status Tunnels::create(const Options& options) {
  if (auto status = would_create(options); !status.ok()) return status;
  if (auto status = listen_on(options.port); !status.ok()) return status;
  const auto index = context_.interfaces().create(options.name, std::make_unique<VxlanDevice>(options));
  if (!index.ok()) {
    leave(options.port);
    return index.status();
  }
  Link& tunnel = tunnels_[*index];
  tunnel.interface = *index;
  tunnel.options = options;
  if (!options.remote) {
    publish_encap();
    return {};
  }
  if (auto status = connect(tunnel, *options.remote); !status.ok()) {
    (void)context_.interfaces().remove(*index);
    return status;
  }
  return {};
}

Status Tunnels::listen_on(std::uint16_t port) {
  if (ports_[port]++ > 0) return {};
  for (const IpFamily family : {IpFamily::Ip4, IpFamily::Ip6}) {
    if (auto status = context_.local()->add_udp_port(family, port, decap_, errors_); !status.ok()) {
      if (family == IpFamily::Ip6) (void)context_.local()->remove_udp_port(IpFamily::Ip4, port);
      ports_.erase(port);
      return status;
    }
  }
  return {};
}

void Tunnels::leave(std::uint16_t port) {
  if (--ports_[port] > 0) return;
  ports_.erase(port);
  for (const IpFamily family : {IpFamily::Ip4, IpFamily::Ip6}) (void)context_.local()->remove_udp_port(family, port);
}

Status Tunnels::connect(Link& tunnel, const IpAddress& remote) {
  struct {
    UdpHeader udp;
    VxlanHeader vxlan;
  } behind{};
  behind.udp.destination = be16(tunnel.options.port);
  behind.vxlan.flags = VxlanHeader::kVniValid;
  behind.vxlan.vni_reserved = be32(tunnel.options.vni << 8);
  const TunnelEnds ends{tunnel.options.local, remote, tunnel.options.table};
  auto peer = TunnelPeer::create(context_, tunnel.interface, ends, tunnel.options.policy,
                                 {.protocol = kIpProtocolUdp,
                                  .behind = std::as_bytes(std::span(&behind, 1)),
                                  .udp = true,
                                  .inner_link_bytes = 14});
  if (!peer.ok()) return peer.status();
  ways_[way_of(tunnel.options, remote)] = tunnel.interface;
  tunnel.remotes[remote] = std::move(*peer);
  set_decap(tunnel, remote, true);
  publish_encap();
  return {};
}

void Tunnels::set_decap(const Link& tunnel, const IpAddress& remote, bool on) {
  const Options& options = tunnel.options;
  const std::uint64_t id = DecapTable::id(options.vni, options.port, tunnel.remotes.at(remote)->remote()->table);
  const auto change = [&](auto& table, const auto& key) {
    if (on) {
      table.set(key, tunnel.interface);
    } else {
      table.erase(key);
    }
  };
  state_.decap.update([&](DecapTable& table) {
    if (remote.is_ip6()) {
      change(table.ip6, TunnelKey6::of(remote.ip6(), options.local.ip6(), id));
    } else {
      change(table.ip4, TunnelKey4::of(remote.ip4(), options.local.ip4(), id));
    }
  });
}

void Tunnels::publish_encap() {
  auto table = std::make_unique<EncapTable>();
  for (const auto& [interface, tunnel] : tunnels_) {
    const std::uint32_t slot = interface.slot();
    if (table->by_slot.size() <= slot) table->by_slot.resize(slot + 1);
    EncapTable::Link& link = table->by_slot[slot];
    link.has_addresses = !tunnel.addresses.empty();
    std::map<IpAddress, std::uint32_t> numbers;
    for (const auto& [remote, peer] : tunnel.remotes) {
      numbers[remote] = static_cast<std::uint32_t>(table->remotes.size());
      table->remotes.push_back(peer->remote());
    }
    if (const auto& remote = tunnel.options.remote; remote && tunnel.remotes.contains(*remote)) {
      link.remote = tunnel.remotes.at(*remote)->remote();
    }
    for (const auto& [mac, remote] : tunnel.addresses) {
      table->addresses.set(MacKey::of(mac, slot), interface, numbers.at(remote));
    }
  }
  state_.encap.publish(std::move(table));
}

StatusOr<bool> Tunnels::add_address(Link& tunnel, const MacAddress& mac, const IpAddress& remote, bool dry_run) {
  if (mac.is_multicast() || mac.is_zero()) return refused("mac {}: not a station's address", mac);
  if (const auto there = tunnel.addresses.find(mac); there != tunnel.addresses.end()) {
    if (there->second == remote) return false;
    return exists("mac {} is behind remote {}; delete it first", mac, there->second);
  }
  if (tunnel.addresses.size() >= kMaxAddresses) {
    return exhausted("tunnel {} has {} addresses, the most; delete one first", tunnel.options.name, kMaxAddresses);
  }
  const bool known = tunnel.remotes.contains(remote);
  if (!known) {
    if (auto status = check_way(tunnel.options, remote); !status.ok()) return status;
  }
  if (dry_run) return true;
  if (!known) {
    if (auto status = connect(tunnel, remote); !status.ok()) return status;
  }
  tunnel.addresses[mac] = remote;
  publish_encap();
  return true;
}

StatusOr<bool> Tunnels::remove_address(Link& tunnel, const MacAddress& mac, bool dry_run) {
  const auto it = tunnel.addresses.find(mac);
  if (it == tunnel.addresses.end()) return false;
  if (dry_run) return true;
  const IpAddress remote = it->second;
  tunnel.addresses.erase(it);
  const bool used =
      remote == tunnel.options.remote || std::any_of(tunnel.addresses.begin(), tunnel.addresses.end(),
                                                     [&](const auto& each) { return each.second == remote; });
  std::unique_ptr<TunnelPeer> gone;  // ends when workers have other tables
  if (!used) {
    set_decap(tunnel, remote, false);
    ways_.erase(way_of(tunnel.options, remote));
    gone = std::move(tunnel.remotes.extract(remote).mapped());
  }
  publish_encap();
  return true;
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
    if (it->second->remote()->table == found.table) it->second->path_mtu(found.mtu, TunnelPeer::Clock::now());
  }
}

void Tunnels::on_interface(Interfaces::Event event, const InterfaceEntry& entry) {
  if (event == Interfaces::Event::MtuChanged) {
    for (auto& [_, tunnel] : tunnels_) {
      for (auto& [address, peer] : tunnel.remotes) peer->update();
    }
  }
  if (event != Interfaces::Event::Deleted) return;
  const auto it = tunnels_.find(entry.index);
  if (it == tunnels_.end()) return;
  for (const auto& [remote, _] : it->second.remotes) {
    set_decap(it->second, remote, false);
    ways_.erase(way_of(it->second.options, remote));
  }
  const auto gone = tunnels_.extract(it);
  publish_encap();  // before the peers end
  leave(gone.mapped().options.port);
}

}  // namespace sluice::vxlan
