// SPDX-License-Identifier: Apache-2.0
// vxlan-output: puts a frame behind UDP and VXLAN headers and goes on to the underlay. RFC 7348 sections 4 and 5.
#pragma once
#include <sluice/net/ethernet.h>
#include <sluice/net/flow.h>
#include <sluice/node.h>
#include <sluice/tunnel/encapsulate.h>

#include "tables.h"

namespace sluice::vxlan {

struct VxlanOutput {
  static constexpr NodeInfo kInfo{"vxlan-output", "puts a frame behind UDP and VXLAN headers"};
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
  enum class Drop : std::uint8_t { UnknownAddress, NoWay, Truncated, NoHeadroom, TooLong };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex tunnel;
    MacAddress destination;
    std::uint32_t length, mtu;
    bool direct;
    void describe(auto&& field) const {
      field("tunnel", tunnel);
      field("destination", destination);
      field("length", length);
      if (mtu != TunnelRemote::kAnyLength) field("path-mtu", mtu);
      if (direct) field("direct", "yes");
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::UnknownAddress: return "no remote is known for the destination address; add vxlan fdb";
      case Drop::NoWay: return "no route leads to the remote, or only one through the tunnel itself; show vxlan tunnel";
      case Drop::Truncated: return "fewer bytes than an Ethernet header and what it announces";
      case Drop::NoHeadroom: return "no room in front of the frame for the headers: too many tunnels in each other";
      case Drop::TooLong: return "longer than the path takes, and no IP packet whose sender could be told";
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

  explicit VxlanOutput(State& s) : state(s) {}
  void begin(Worker& worker) noexcept {
    table = &state.encap.read(worker);
    plain4 = output_is_plain(worker, state.arcs.ip4);
    plain6 = output_is_plain(worker, state.arcs.ip6);
  }

  Key prepare(Packet& packet, Worker& worker) const noexcept {
    const std::uint32_t slot = packet.tx_interface.slot();
    if (slot >= table->by_slot.size() || packet.length < sizeof(EthernetHeader)) return {nullptr, 0};
    const EncapTable::Link& link = table->by_slot[slot];
    const TunnelRemote* remote = link.remote;
    if (link.has_addresses) {
      const auto* entry = table->addresses.find(MacKey::of(packet.known_header<EthernetHeader>()->destination, slot));
      if (entry) remote = table->remotes[entry->value];
    }
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
    const auto* ethernet = packet.header<EthernetHeader>();
    if (!ethernet) return Drop::Truncated;
    if (trace)
      *trace = {packet.tx_interface, ethernet->destination, packet.chain_length, TunnelRemote::kAnyLength, false};
    if (!key.remote) return Drop::UnknownAddress;
    const TunnelRemote& remote = *key.remote;
    const std::uint32_t mtu = remote.mtu.load(std::memory_order_relaxed);
    const bool direct = remote.direct.load(std::memory_order_relaxed);
    if (trace) trace->mtu = mtu, trace->direct = direct;
    if (key.forwarding == ForwardingIndex::kNone) return Drop::NoWay;
    auto& counters = worker.counters(packet.tx_interface);
    counters[InterfaceCounter::TxPackets].add();
    counters[InterfaceCounter::TxBytes].add(packet.chain_length);
    const Inside inside = look_inside(packet, ethernet->type.host());
    if (!inside.whole) return Drop::Truncated;
    if (direct && inside.ip && inside.ip6 == remote.ip6 && !is_of_link(packet, *ethernet, inside.ip6) &&
        tunnel_direct(packet, remote, state.ip->forwarding, key.forwarding)) {
      packet.pull(sizeof(EthernetHeader));
      return inside.ip6 ? Next::Ip6Rewrite : Next::Ip4Rewrite;
    }
    bool may_cut = false;
    if (packet.chain_length - sizeof(EthernetHeader) > mtu) [[unlikely]] {
      // A frame that was not routed here has no sender that would understand.
      if (!inside.ip || packet.l3_offset != packet.offset() + sizeof(EthernetHeader)) return Drop::TooLong;
      packet.pull(sizeof(EthernetHeader));
      switch (tunnel_too_long(packet, inside.ip6, mtu)) {
        case TunnelFit::Fits: break;
        case TunnelFit::CutOuter: may_cut = true; break;
        case TunnelFit::CutInner: return Next::Ip4Fragment;
        case TunnelFit::TooLong4: return Next::Ip4IcmpError;
        case TunnelFit::TooLong6: return Next::Ip6IcmpError;
      }
      packet.push(sizeof(EthernetHeader));
    }
    if (packet.headroom() < remote.header_bytes) return Drop::NoHeadroom;
    if (packet.flow_hash == 0) packet.flow_hash = hash_of(packet, inside);
    const auto inner_l3 = static_cast<std::uint16_t>(inside.ip ? packet.offset() + sizeof(EthernetHeader) : 0);
    push_outer(packet, remote, inside.fields, inner_l3, may_cut, id);
    return way(packet, key.forwarding, remote.ip6, !may_cut && mtu != TunnelRemote::kAnyLength);
  }

 private:
  // What belongs to the tunnel's own link, whatever the underlay's: groups, and neighbour discovery, which alone comes
  // with all its hops left (RFC 4861 section 3.1).
  static bool is_of_link(const Packet& packet, const EthernetHeader& ethernet, bool ip6) noexcept {
    if (ethernet.destination.bytes[0] & 1) return true;
    const auto* ip = ip6 ? packet.header<Ip6Header>(sizeof(EthernetHeader)) : nullptr;
    return ip && ip->hop_limit == 255;
  }
  struct Inside {
    bool whole = true, ip = false, ip6 = false;
    TunnelInner fields;
  };
  static Inside look_inside(const Packet& packet, std::uint16_t type) noexcept {
    Inside inside;
    if (type == kEthertypeIp4) {
      const auto* ip = packet.header<Ip4Header>(sizeof(EthernetHeader));
      if (!ip) return {.whole = false};
      inside.ip = true;
      inside.fields = TunnelInner::of(*ip);
    } else if (type == kEthertypeIp6) {
      const auto* ip = packet.header<Ip6Header>(sizeof(EthernetHeader));
      if (!ip) return {.whole = false};
      inside.ip = inside.ip6 = true;
      inside.fields = TunnelInner::of(*ip);
    }
    return inside;
  }
  static std::uint32_t hash_of(Packet& packet, const Inside& inside) noexcept {
    if (!inside.ip) return spread_hash(crc32c(0, packet.data, 2 * sizeof(MacAddress)));
    packet.pull(sizeof(EthernetHeader));
    const std::uint32_t hash = inside.ip6 ? flow_hash6(packet) : flow_hash4(packet);
    packet.push(sizeof(EthernetHeader));
    return hash;
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

}  // namespace sluice::vxlan
