// SPDX-License-Identifier: Apache-2.0
// ipip-decap: takes the outer IP header off what a configured remote has sent. RFC 2003 section 3.2, RFC 2473 section
// 3.3, RFC 6040 section 4.2.
#pragma once
#include <sluice/net/checksum.h>
#include <sluice/node.h>
#include <sluice/tunnel/decapsulate.h>

#include "tables.h"

namespace sluice::ipip {

struct IpipDecap {
  static constexpr NodeInfo kInfo{"ipip-decap", "takes the outer IP header off what a configured remote has sent"};
  enum class Next : std::uint8_t { Ip4Input, Ip6Input };
  enum class Drop : std::uint8_t { UnknownRemote, TunnelDown, WrongInner, Truncated, Congestion };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex tunnel;
    bool outer6;
    void describe(auto&& field) const {
      field("tunnel", tunnel);
      field("outer", outer6 ? "ip6" : "ip4");
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::UnknownRemote: return "no tunnel has this remote and this local address; show ipip tunnel";
      case Drop::TunnelDown: return "the tunnel's interface is down; set interface state NAME up";
      case Drop::WrongInner: return "what is inside is not of the family that the outer header says";
      case Drop::Truncated: return "fewer bytes inside than an IP header";
      case Drop::Congestion: return "the path is congested and the inner packet's sender does not listen to ECN";
    }
    return "";
  }
  struct Key {
    std::uint32_t place;
    bool outer6;
  };

  State& state;
  const DecapTable* table = nullptr;

  explicit IpipDecap(State& s) : state(s) {}
  void begin(Worker& worker) noexcept { table = &state.decap.read(worker); }

  Key prepare(Packet& packet, Worker&) const noexcept {
    const bool outer6 = *packet.l3<std::uint8_t>() >> 4 == 6;
    if (outer6) {
      const std::uint32_t place = table->ip6.place(key6(packet));
      table->ip6.prefetch(place);
      return {place, true};
    }
    const std::uint32_t place = table->ip4.place(key4(packet));
    table->ip4.prefetch(place);
    return {place, false};
  }
  Verdict finish(Packet& packet, Key& key, Worker& worker, Trace* trace) const noexcept {
    InterfaceIndex tunnel;
    std::uint8_t outer_class = 0, protocol = 0;
    if (key.outer6) {
      const auto* ip = packet.l3<Ip6Header>();
      if (const auto* entry = table->ip6.find(key6(packet), key.place)) tunnel = entry->interface;
      outer_class = static_cast<std::uint8_t>(ip->version_class_flow.host() >> 20);
      protocol = ip->next_header;
    } else {
      const auto* ip = packet.l3<Ip4Header>();
      if (const auto* entry = table->ip4.find(key4(packet), key.place)) tunnel = entry->interface;
      outer_class = ip->tos;
      protocol = ip->protocol;
    }
    if (trace) *trace = {tunnel, key.outer6};
    if (!tunnel.valid()) return Drop::UnknownRemote;
    const InterfaceState* in = worker.interface(tunnel);
    if (!in || !in->up) return Drop::TunnelDown;
    const auto* version = packet.header<std::uint8_t>();
    if (!version) return Drop::Truncated;
    const std::uint8_t inner = *version >> 4;
    // Behind extension headers the protocol is theirs to say.
    const std::uint8_t says = inner == 6 ? kIpProtocolIp6 : kIpProtocolIpIp;
    const bool plain = protocol == kIpProtocolIpIp || protocol == kIpProtocolIp6;
    if ((inner != 4 && inner != 6) || (plain && protocol != says)) return Drop::WrongInner;
    switch (inner == 6 ? take_outer_ecn6(packet, outer_class) : take_outer_ecn4(packet, outer_class)) {
      case OuterEcn::Taken: break;
      case OuterEcn::Truncated: return Drop::Truncated;
      case OuterEcn::Congestion: return Drop::Congestion;
    }
    enter_from_tunnel(packet, tunnel, worker);
    return inner == 6 ? Next::Ip6Input : Next::Ip4Input;
  }

 private:
  static TunnelKey4 key4(Packet& packet) noexcept {
    return TunnelKey4::of(*packet.l3<Ip4Header>(), packet.table.value);
  }
  static TunnelKey6 key6(Packet& packet) noexcept {
    return TunnelKey6::of(*packet.l3<Ip6Header>(), packet.table.value);
  }
};

}  // namespace sluice::ipip
