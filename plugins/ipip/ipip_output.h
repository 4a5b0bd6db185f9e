// SPDX-License-Identifier: Apache-2.0
// ipip-output: puts the outer IP header of a tunnel in front and goes on to the underlay. RFC 2003 section 3, RFC 2473
// section 3.1, RFC 6040 section 4.1.
#pragma once
#include <sluice/net/flow.h>
#include <sluice/node.h>
#include <sluice/tunnel/encapsulate.h>

#include "tables.h"

namespace sluice::ipip {

struct IpipOutput {
  static constexpr NodeInfo kInfo{"ipip-output", "puts the outer IP header of a tunnel in front"};
  enum class Next : std::uint8_t {
    InterfaceOutput,
    Ip4Rewrite,
    Ip6Rewrite,
    Ip4Lookup,
    Ip6Lookup,
    Ip4Fragment,
    Ip4IcmpError,
    Ip6IcmpError
  };
  enum class Drop : std::uint8_t { NoRemote, NoWay, NotIp, NoHeadroom };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex tunnel;
    std::uint32_t length, mtu;
    bool direct;
    void describe(auto&& field) const {
      field("tunnel", tunnel);
      field("length", length);
      if (mtu != TunnelRemote::kAnyLength) field("path-mtu", mtu);
      if (direct) field("direct", "yes");
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::NoRemote: return "no remote of the tunnel has the route's next hop; add ipip remote";
      case Drop::NoWay: return "no route leads to the remote, or only one through the tunnel itself; show ipip tunnel";
      case Drop::NotIp: return "neither IPv4 nor IPv6";
      case Drop::NoHeadroom:
        return "no room in front of the packet for the outer header: too many tunnels in each other";
    }
    return "";
  }
  struct Key {
    const TunnelRemote* remote;
    std::uint32_t forwarding;
  };
  static constexpr std::size_t kSteps = 1;

  State& state;
  const EncapTable* table = nullptr;
  std::uint16_t id = 1;
  bool plain4 = false, plain6 = false;  // of this vector

  explicit IpipOutput(State& s) : state(s) {}
  void begin(Worker& worker) noexcept {
    table = &state.encap.read(worker);
    plain4 = output_is_plain(worker, state.arcs.ip4);
    plain6 = output_is_plain(worker, state.arcs.ip6);
  }

  Key prepare(Packet& packet, Worker& worker) const noexcept {
    const std::uint32_t slot = packet.tx_interface.slot();
    const TunnelRemote* remote = slot < table->by_slot.size() ? table->by_slot[slot] : nullptr;
    if (!remote) [[unlikely]]
      remote = find(packet);
    if (remote) __builtin_prefetch(remote);
    __builtin_prefetch(&worker.counters(packet.tx_interface), 1);
    __builtin_prefetch(packet.data - kCacheLine, 1);  // where the headers go
    return {remote, ForwardingIndex::kNone};
  }
  void step(Packet&, Key& key, Worker&) const noexcept {
    if (!key.remote) return;
    key.forwarding = key.remote->forwarding.load(std::memory_order_relaxed);
    __builtin_prefetch(&state.ip->forwarding.at(ForwardingIndex{key.forwarding}));
  }
  Verdict finish(Packet& packet, Key& key, Worker& worker, Trace* trace) noexcept {
    if (!key.remote) return Drop::NoRemote;
    const TunnelRemote& remote = *key.remote;
    const std::uint32_t mtu = remote.mtu.load(std::memory_order_relaxed);
    const bool direct = remote.direct.load(std::memory_order_relaxed);
    if (trace) *trace = {packet.tx_interface, packet.chain_length, mtu, direct};
    if (key.forwarding == ForwardingIndex::kNone) return Drop::NoWay;
    const auto* version = packet.header<std::uint8_t>();
    if (!version) return Drop::NotIp;
    const bool inner6 = *version >> 4 == 6;
    if (packet.length < (inner6 ? sizeof(Ip6Header) : sizeof(Ip4Header))) return Drop::NotIp;
    auto& counters = worker.counters(packet.tx_interface);
    counters[InterfaceCounter::TxPackets].add();
    counters[InterfaceCounter::TxBytes].add(packet.chain_length);
    if (direct && inner6 == remote.ip6 && tunnel_direct(packet, remote, state.ip->forwarding, key.forwarding))
      return inner6 ? Next::Ip6Rewrite : Next::Ip4Rewrite;
    bool may_cut = false;
    if (packet.chain_length > mtu) [[unlikely]] {
      switch (tunnel_too_long(packet, inner6, mtu)) {
        case TunnelFit::Fits: break;
        case TunnelFit::CutOuter: may_cut = true; break;
        case TunnelFit::CutInner: return Next::Ip4Fragment;
        case TunnelFit::TooLong4: return Next::Ip4IcmpError;
        case TunnelFit::TooLong6: return Next::Ip6IcmpError;
      }
    }
    if (packet.headroom() < remote.header_bytes) return Drop::NoHeadroom;
    TunnelInner inner;
    // Only an IPv6 header's flow label and a choice of paths need it.
    const bool hash =
        remote.ip6 || state.ip->forwarding.at(ForwardingIndex{key.forwarding}).kind == ForwardingKind::Group;
    if (inner6) {
      if (hash && packet.flow_hash == 0) packet.flow_hash = flow_hash6(packet);
      inner = TunnelInner::of(*packet.known_header<Ip6Header>());
    } else {
      if (hash && packet.flow_hash == 0) packet.flow_hash = flow_hash4(packet);
      inner = TunnelInner::of(*packet.known_header<Ip4Header>());
    }
    push_outer(packet, remote, inner, packet.offset(), may_cut, id);
    // RFC 2003 section 3.1, RFC 2473 section 3.
    const std::uint8_t protocol = inner6 ? kIpProtocolIp6 : kIpProtocolIpIp;
    if (remote.ip6) {
      packet.known_header<Ip6Header>()->next_header = protocol;
    } else if (inner6) {
      auto& ip = *packet.known_header<Ip4Header>();
      const std::uint16_t before = ip_word(ip), after = static_cast<std::uint16_t>(ip.ttl | protocol << 8);
      ip.checksum.raw = checksum_update(ip.checksum.raw, before, after);
      ip.protocol = protocol;
    }
    return way(packet, key.forwarding, remote.ip6, !may_cut && mtu != TunnelRemote::kAnyLength);
  }

 private:
  static std::uint16_t ip_word(const Ip4Header& ip) noexcept {
    return static_cast<std::uint16_t>(ip.ttl | ip.protocol << 8);
  }
  // Many remotes: the route's next hop says which.
  [[gnu::noinline]] const TunnelRemote* find(const Packet& packet) const noexcept {
    const Forwarding& adjacency = state.ip->forwarding.at(packet.forwarding);
    if (adjacency.interface != packet.tx_interface) return nullptr;
    const auto remote_of = [&](const auto* entry) { return entry ? table->remotes[entry->value] : nullptr; };
    if (adjacency.next_hop.is_ip6())
      return remote_of(table->next_hops6.find(EncapTable::key(adjacency.next_hop.ip6(), packet.tx_interface)));
    return remote_of(table->next_hops4.find(EncapTable::key(adjacency.next_hop.ip4(), packet.tx_interface)));
  }
  // fits: what the remote's mtu has let pass is no longer than the underlay's links take.
  Verdict way(Packet& packet, std::uint32_t forwarding, bool ip6, bool fits) const noexcept {
    switch (tunnel_way(packet, state.ip->forwarding, forwarding, fits && (ip6 ? plain6 : plain4))) {
      case TunnelWay::Output: return Next::InterfaceOutput;
      case TunnelWay::Rewrite: return ip6 ? Next::Ip6Rewrite : Next::Ip4Rewrite;
      case TunnelWay::Lookup: return ip6 ? Next::Ip6Lookup : Next::Ip4Lookup;
    }
    return Drop::NoWay;
  }
};

}  // namespace sluice::ipip
