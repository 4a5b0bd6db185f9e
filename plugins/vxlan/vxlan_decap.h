// SPDX-License-Identifier: Apache-2.0
// vxlan-decap: takes UDP and VXLAN headers off what a configured remote has sent. RFC 7348 sections 4.1 and 5.
#pragma once
#include <sluice/kernels/chain_length.h>
#include <sluice/net/ethernet.h>
#include <sluice/node.h>
#include <sluice/tunnel/decapsulate.h>

#include "tables.h"

namespace sluice::vxlan {

struct VxlanDecap {
  static constexpr NodeInfo kInfo{"vxlan-decap", "takes UDP and VXLAN headers off what a configured remote has sent"};
  enum class Next : std::uint8_t { EthernetInput };
  enum class Drop : std::uint8_t { Truncated, BadFlags, UnknownTunnel, TunnelDown, Congestion };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex tunnel;
    std::uint32_t vni;
    void describe(auto&& field) const {
      field("tunnel", tunnel);
      field("vni", vni);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::Truncated: return "fewer bytes than a VXLAN header, an Ethernet header and what that announces";
      case Drop::BadFlags: return "the flag that says that there is a VNI is not set";
      case Drop::UnknownTunnel: return "no tunnel has this VNI and this remote; show vxlan tunnel";
      case Drop::TunnelDown: return "the tunnel's interface is down; set interface state NAME up";
      case Drop::Congestion: return "the path is congested and the inner packet's sender does not listen to ECN";
    }
    return "";
  }
  struct Key {
    std::uint32_t place;
    bool outer6, whole;
  };

  State& state;
  const DecapTable* table = nullptr;

  explicit VxlanDecap(State& s) : state(s) {}
  void begin(Worker& worker) noexcept { table = &state.decap.read(worker); }

  Key prepare(Packet& packet, Worker&) const noexcept {
    if (packet.length < sizeof(VxlanHeader)) return {0, false, false};
    if (*packet.l3<std::uint8_t>() >> 4 == 6) {
      const std::uint32_t place = table->ip6.place(key6(packet));
      table->ip6.prefetch(place);
      return {place, true, true};
    }
    const std::uint32_t place = table->ip4.place(key4(packet));
    table->ip4.prefetch(place);
    return {place, false, true};
  }
  Verdict finish(Packet& packet, Key& key, Worker& worker, Trace* trace) const noexcept {
    if (!key.whole) return Drop::Truncated;
    const auto* header = packet.known_header<VxlanHeader>();
    InterfaceIndex tunnel;
    std::uint8_t outer_class = 0;
    if (key.outer6) {
      if (const auto* entry = table->ip6.find(key6(packet), key.place)) tunnel = entry->interface;
      outer_class = static_cast<std::uint8_t>(packet.l3<Ip6Header>()->version_class_flow.host() >> 20);
    } else {
      if (const auto* entry = table->ip4.find(key4(packet), key.place)) tunnel = entry->interface;
      outer_class = packet.l3<Ip4Header>()->tos;
    }
    if (trace) *trace = {tunnel, header->vni()};
    if (!(header->flags & VxlanHeader::kVniValid)) return Drop::BadFlags;
    if (!tunnel.valid()) return Drop::UnknownTunnel;
    const InterfaceState* in = worker.interface(tunnel);
    if (!in || !in->up) return Drop::TunnelDown;
    // What IP carries behind the end that UDP says is no part of the frame.
    const std::uint32_t udp_bytes = packet.l4<UdpHeader>()->length.host() - sizeof(UdpHeader);
    if (packet.chain_length > udp_bytes) [[unlikely]] {
      if (udp_bytes < sizeof(VxlanHeader)) return Drop::Truncated;
      cut_chain(packet, udp_bytes, worker);
    }
    packet.pull(sizeof(VxlanHeader));
    const auto* ethernet = packet.header<EthernetHeader>();
    if (!ethernet) return Drop::Truncated;
    if (outer_class & 1) [[unlikely]] {  // ECT(1) or CE: the others change nothing
      const std::uint16_t type = ethernet->type.host();
      packet.pull(sizeof(EthernetHeader));
      OuterEcn ecn = OuterEcn::Taken;
      if (type == kEthertypeIp4) ecn = take_outer_ecn4(packet, outer_class);
      if (type == kEthertypeIp6) ecn = take_outer_ecn6(packet, outer_class);
      packet.push(sizeof(EthernetHeader));
      if (ecn == OuterEcn::Truncated) return Drop::Truncated;
      if (ecn == OuterEcn::Congestion) return Drop::Congestion;
    }
    enter_from_tunnel(packet, tunnel, worker);
    return Next::EthernetInput;
  }

 private:
  static std::uint64_t id(Packet& packet) noexcept {
    return DecapTable::id(packet.known_header<VxlanHeader>()->vni(), packet.l4<UdpHeader>()->destination.host(),
                          packet.table);
  }
  static TunnelKey4 key4(Packet& packet) noexcept { return TunnelKey4::of(*packet.l3<Ip4Header>(), id(packet)); }
  static TunnelKey6 key6(Packet& packet) noexcept { return TunnelKey6::of(*packet.l3<Ip6Header>(), id(packet)); }
};

}  // namespace sluice::vxlan
