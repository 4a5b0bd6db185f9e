// SPDX-License-Identifier: Apache-2.0
// ipip-errors: hears what routers on the path say of outer packets, and has the inner sender told. RFC 2003 section 4,
// RFC 2473 section 8.
#pragma once
#include <sluice/node.h>
#include <sluice/tunnel/icmp.h>

#include "tables.h"

namespace sluice::ipip {

struct IpipErrors {
  static constexpr NodeInfo kInfo{"ipip-errors", "has inner senders told what the path says of outer packets"};
  enum class Next : std::uint8_t { Ip4IcmpError, Ip6IcmpError };
  enum class Drop : std::uint8_t { UnknownRemote, Ignored, ShortQuote };
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
      case Drop::UnknownRemote: return "it is about a packet that no tunnel has sent";
      case Drop::Ignored: return "it says nothing that an inner sender could use";
      case Drop::ShortQuote:
        return "too little of the inner packet is quoted to tell its sender; the path MTU is noted";
    }
    return "";
  }

  State& state;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    using Kind = TunnelError::Kind;
    const DecapTable& table = state.decap.read(worker);
    const bool ip6 = *packet.known_header<std::uint8_t>() >> 4 == 6;
    const TunnelError error = read_tunnel_error(packet, ip6);
    PathMtu found{{}, {}, packet.table, error.mtu};
    std::size_t outer_bytes = sizeof(Ip6Header);
    InterfaceIndex tunnel;
    if (ip6) {
      const auto* outer = packet.header<Ip6Header>(error.quoted);
      if (!outer) return Drop::ShortQuote;
      found.local = outer->source;
      found.remote = outer->destination;
      const auto* entry = table.ip6.find(TunnelKey6::of(outer->destination, outer->source, packet.table.value));
      if (entry) tunnel = entry->interface;
    } else {
      const auto* outer = packet.header<Ip4Header>(error.quoted);
      if (!outer || outer->header_length() < sizeof *outer) return Drop::ShortQuote;
      outer_bytes = outer->header_length();
      found.local = outer->source;
      found.remote = outer->destination;
      const auto* entry = table.ip4.find(TunnelKey4::of(outer->destination, outer->source, packet.table.value));
      if (entry) tunnel = entry->interface;
    }
    if (trace) *trace = {tunnel, error.mtu};
    if (!tunnel.valid()) return Drop::UnknownRemote;
    if (error.kind == Kind::Other) return Drop::Ignored;
    if (error.kind == Kind::TooLong) {
      worker.count(Count::PathMtu);
      (void)worker.report(ControlMessage::of(state.path_mtu, found));  // the next error tells it again
    }
    const std::size_t inner = error.quoted + outer_bytes;
    if (inner >= packet.length) return Drop::ShortQuote;
    packet.pull(inner);
    const auto overhead = static_cast<std::uint32_t>(outer_bytes);
    const std::uint32_t mtu = error.mtu > overhead ? error.mtu - overhead : 0;
    if (!tell_inner_sender(packet, error.kind, mtu)) return Drop::ShortQuote;
    packet.rx_interface = tunnel;
    packet.flags &= ~std::uint32_t{kBroadcast};
    return *packet.known_header<std::uint8_t>() >> 4 == 4 ? Next::Ip4IcmpError : Next::Ip6IcmpError;
  }
};

}  // namespace sluice::ipip
