// SPDX-License-Identifier: Apache-2.0
// vxlan-errors: hears what routers on the path say of outer packets, and has the inner sender told. As RFC 2003 section
// 4 has it for IP in IP.
#pragma once
#include <sluice/net/ethernet.h>
#include <sluice/node.h>
#include <sluice/tunnel/icmp.h>

#include "tables.h"

namespace sluice::vxlan {

struct VxlanErrors {
  static constexpr NodeInfo kInfo{"vxlan-errors", "has inner senders told what the path says of outer packets"};
  enum class Next : std::uint8_t { Ip4IcmpError, Ip6IcmpError };
  enum class Drop : std::uint8_t { UnknownTunnel, Ignored, ShortQuote };
  enum class Count : std::uint8_t { PathMtu };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex tunnel;
    std::uint32_t mtu;
    void describe(auto&& field) const {
      field("tunnel", tunnel);
      if (mtu) field("path-mtu", mtu);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::UnknownTunnel: return "it is about a packet that no tunnel has sent";
      case Drop::Ignored: return "it says nothing that an inner sender could use";
      case Drop::ShortQuote:
        return "too little of the inner packet is quoted to tell its sender; the path MTU is noted";
    }
    return "";
  }

  State& state;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    using Kind = TunnelError::Kind;
    const bool ip6 = *packet.known_header<std::uint8_t>() >> 4 == 6;
    const TunnelError error = read_tunnel_error(packet, ip6);
    PathMtu found{{}, {}, packet.table, error.mtu};
    std::size_t outer_bytes = sizeof(Ip6Header);
    if (ip6) {
      const auto* outer = packet.header<Ip6Header>(error.quoted);
      if (!outer) return Drop::ShortQuote;
      found.local = outer->source;
      found.remote = outer->destination;
    } else {
      const auto* outer = packet.header<Ip4Header>(error.quoted);
      if (!outer || outer->header_length() < sizeof *outer) return Drop::ShortQuote;
      outer_bytes = outer->header_length();
      found.local = outer->source;
      found.remote = outer->destination;
    }
    if (error.kind == Kind::Other) return Drop::Ignored;
    const auto* udp = packet.header<UdpHeader>(error.quoted + outer_bytes);
    if (!udp) return Drop::ShortQuote;
    if (error.kind == Kind::TooLong) {
      // RFC 792 has routers quote no more than the UDP header.
      worker.count(Count::PathMtu);
      (void)worker.report(ControlMessage::of(state.path_mtu, found));  // the next error tells it again
    }
    const auto* header = packet.header<VxlanHeader>(error.quoted + outer_bytes + sizeof *udp);
    if (!header) return Drop::ShortQuote;
    const InterfaceIndex tunnel = tunnel_of(state.decap.read(worker), found,
                                            DecapTable::id(header->vni(), udp->destination.host(), packet.table));
    if (trace) *trace = {tunnel, error.mtu};
    if (!tunnel.valid()) return Drop::UnknownTunnel;
    const std::size_t frame = error.quoted + outer_bytes + sizeof *udp + sizeof *header;
    const auto* ethernet = packet.header<EthernetHeader>(frame);
    if (!ethernet || (ethernet->type.host() != kEthertypeIp4 && ethernet->type.host() != kEthertypeIp6))
      return Drop::ShortQuote;
    packet.pull(frame + sizeof *ethernet);
    const auto overhead = static_cast<std::uint32_t>(outer_bytes + sizeof *udp + sizeof *header + sizeof *ethernet);
    if (!tell_inner_sender(packet, error.kind, error.mtu > overhead ? error.mtu - overhead : 0))
      return Drop::ShortQuote;
    packet.rx_interface = tunnel;
    packet.flags &= ~std::uint32_t{kBroadcast};
    return *packet.known_header<std::uint8_t>() >> 4 == 4 ? Next::Ip4IcmpError : Next::Ip6IcmpError;
  }

 private:
  static InterfaceIndex tunnel_of(const DecapTable& table, const PathMtu& ends, std::uint64_t id) noexcept {
    if (ends.remote.is_ip6()) {
      const auto* entry = table.ip6.find(TunnelKey6::of(ends.remote.ip6(), ends.local.ip6(), id));
      return entry ? entry->interface : InterfaceIndex{};
    }
    const auto* entry = table.ip4.find(TunnelKey4::of(ends.remote.ip4(), ends.local.ip4(), id));
    return entry ? entry->interface : InterfaceIndex{};
  }
};

}  // namespace sluice::vxlan
