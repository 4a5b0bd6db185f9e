// SPDX-License-Identifier: Apache-2.0
#include "sluice/tunnel/peer.h"

#include <algorithm>
#include <cstring>

#include "sluice/forwarding.h"
#include "sluice/ip_tables.h"
#include "sluice/net/checksum.h"
#include "sluice/net/ip4.h"
#include "sluice/net/ip6.h"

namespace sluice {
namespace {

bool is_hosts(const IpAddress& address) {
  const bool loopback = address.is_ip6() ? address.ip6().is_loopback() : address.ip4().is_loopback();
  const bool broadcast = address.is_ip4() && (address.ip4().is_broadcast() || address.ip4().is_reserved());
  return !address.is_unspecified() && !address.is_multicast() && !address.is_link_local() && !loopback && !broadcast;
}

}  // namespace

Status check_tunnel_local(const IpAddress& local) {
  if (!is_hosts(local)) return refused("local {}: not an address that a tunnel's packets can come from", local);
  return {};
}

Status check_tunnel_ends(const IpAddress& local, const IpAddress& remote) {
  if (auto status = check_tunnel_local(local); !status.ok()) return status;
  if (!is_hosts(remote)) return refused("remote {}: not an address that a tunnel can lead to", remote);
  if (local.is_ip6() != remote.is_ip6()) {
    return refused("local {} and remote {}: must be of one family; what is inside may be of both", local, remote);
  }
  if (local == remote) return refused("local and remote are both {}: a tunnel has two ends", local);
  return {};
}

void TunnelPeer::fill_headers(TunnelRemote& remote, const TunnelEnds& ends, const Shape& shape) {
  remote.ip6 = ends.remote.is_ip6();
  std::size_t ip_bytes = sizeof(Ip4Header);
  if (ends.remote.is_ip6()) {
    ip_bytes = sizeof(Ip6Header);
    const Ip6Header ip{be32(std::uint32_t{6} << 28), be16{}, shape.protocol, 0, ends.local.ip6(), ends.remote.ip6()};
    std::memcpy(remote.headers.data(), &ip, sizeof ip);
  } else {
    const Ip4Header ip{0x45, 0, be16{}, be16{}, be16{}, 0, shape.protocol, be16{}, ends.local.ip4(), ends.remote.ip4()};
    std::memcpy(remote.headers.data(), &ip, sizeof ip);
    remote.sum = checksum_fold(checksum_add(0, &ip, sizeof ip));
  }
  if (!shape.behind.empty()) std::memcpy(remote.headers.data() + ip_bytes, shape.behind.data(), shape.behind.size());
  remote.header_bytes = static_cast<std::uint8_t>(ip_bytes + shape.behind.size());
  remote.udp_offset = static_cast<std::uint8_t>(shape.udp ? ip_bytes : 0);
}

TunnelPeer::TunnelPeer(Context& context, const TunnelEnds& ends, const TunnelPolicy& policy, const Shape& shape)
    : context_(context),
      ends_(ends),
      policy_(policy),
      overhead_(static_cast<std::uint32_t>((ends.remote.is_ip6() ? sizeof(Ip6Header) : sizeof(Ip4Header)) +
                                           shape.behind.size() + shape.inner_link_bytes)),
      remote_(new TunnelRemote) {
  remote_->policy = policy;
  fill_headers(*remote_, ends, shape);
}

StatusOr<std::unique_ptr<TunnelPeer>> TunnelPeer::create(Context& context, InterfaceIndex interface,
                                                         const TunnelEnds& ends, const TunnelPolicy& policy,
                                                         const Shape& shape) {
  if (auto status = check_tunnel_ends(ends.local, ends.remote); !status.ok()) return status;
  if (!context.routes()) return failed_precondition("tunnels need the IP stack");
  const auto table = context.routes()->table(ends.table);
  if (!table.ok()) return table.status();
  std::unique_ptr<TunnelPeer> peer(new TunnelPeer(context, ends, policy, shape));
  peer->remote_->table = *table;
  peer->follower_ = context.routes()->follow(ends.table, ends.remote, interface,
                                             [raw = peer.get()](const FollowedRoute& route) { raw->follow(route); });
  peer->follow(peer->follower_->now());
  if (const std::string& loop = peer->follower_->now().loop; !loop.empty()) {
    return refused("remote {}: the way to it leads through the tunnel itself: {}", ends.remote, loop);
  }
  return peer;
}

TunnelPeer::~TunnelPeer() {
  follower_.reset();
  context_.rcu().defer([remote = remote_] { delete remote; });
}

void TunnelPeer::follow(const FollowedRoute& route) {
  // While workers change over, neither way may get what is too long for it.
  if (follower_) remote_->mtu.store(std::min(remote_->mtu.load(std::memory_order_relaxed), limit()));
  remote_->forwarding.store(route.forwarding.value, std::memory_order_relaxed);
  remote_->direct.store(policy_.cross_subnet && route.connected && route.forwarding.valid(), std::memory_order_relaxed);
  if (follower_) update();
}

void TunnelPeer::update() { remote_->mtu.store(limit(), std::memory_order_relaxed); }

std::uint32_t TunnelPeer::limit() const {
  std::uint32_t outer = path_mtu_;
  const FollowedRoute& route = follower_->now();
  if (route.forwarding.valid()) {
    for (const ForwardingPath& path : context_.routes()->paths(route.forwarding)) {
      const InterfaceEntry* entry = context_.interfaces().find(path.interface);
      if (entry) outer = std::min(outer, path.mtu ? path.mtu : entry->mtu);
    }
  }
  // What may be fragmented on the way needs no limit here.
  const bool any = policy_.df == TunnelDf::Clear || outer == TunnelRemote::kAnyLength;
  return any ? TunnelRemote::kAnyLength : outer - std::min(overhead_, outer);
}

void TunnelPeer::path_mtu(std::uint32_t bytes, Clock::time_point now) {
  const std::uint32_t least = std::max(ends_.remote.is_ip6() ? kPathMtuLeast6 : kPathMtuLeast4, overhead_ + 28);
  if (std::max(bytes, least) > path_mtu_) return;  // what is known is less, and ages
  path_mtu_ = std::max(bytes, least);
  path_mtu_since_ = now;
  update();
}

void TunnelPeer::age(Clock::time_point now) {
  if (now - path_mtu_since_ >= kPathMtuAge) path_mtu_ = TunnelRemote::kAnyLength;
  update();  // a route's group may have other members by now, and so other links, under the same index
}

std::string TunnelPeer::way() const {
  const FollowedRoute& route = follower_->now();
  if (!route.loop.empty()) return "loop " + route.loop;
  return route.forwarding.valid() ? context_.routes()->describe(route.forwarding) : "no route";
}

}  // namespace sluice
