// SPDX-License-Identifier: Apache-2.0
// ip6-local: gives packets for this node to whoever registered for them, the rest to the host. RFC 8200 section 4.
#pragma once
#include "ip/packet_checksum.h"
#include "ip/state.h"
#include "sluice/net/ip6_extensions.h"
#include "sluice/net/udp.h"
#include "sluice/node.h"

namespace sluice {

struct Ip6Local {
  static constexpr NodeInfo kInfo{"ip6-local", "gives packets for this node to whoever registered for them"};
  enum class Next : std::uint8_t { Ip6Icmp, Ip6Reassembly, Ip6Punt, Registered };
  enum class Drop : std::uint8_t { BadExtension, RoutingHeader, NoNextHeader, Truncated, BadUdpLength, BadUdpChecksum };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    Ip6Address source;
    std::uint8_t protocol;
    std::uint16_t port;
    void describe(auto&& field) const {
      field("source", source);
      field("protocol", protocol);
      if (port) field("port", port);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::BadExtension: return "an extension header is cut off, or there are more than eight";
      case Drop::RoutingHeader: return "a routing header with segments left is refused";
      case Drop::NoNextHeader: return "the packet says that it carries nothing";
      case Drop::Truncated: return "fewer bytes than a UDP header";
      case Drop::BadUdpLength: return "the UDP length is below 8 or beyond the packet";
      case Drop::BadUdpChecksum: return "the UDP checksum is wrong";
    }
    return "";
  }

  const IpState& ip;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    const auto& header = *packet.header<Ip6Header>();
    const Ip6Walk upper = find_upper_layer(packet);
    if (trace) *trace = {header.source, upper.protocol, 0};
    if (!upper.whole()) return Drop::BadExtension;
    if (upper.is_fragment) return Next::Ip6Reassembly;
    // RFC 5095 for type 0; no other type is spoken here (RFC 8200 section 4.4).
    if (upper.routing_segments_left) return Drop::RoutingHeader;
    if (upper.protocol == kIpProtocolNoNextHeader) return Drop::NoNextHeader;
    packet.l3_offset = packet.offset();
    packet.l4_offset = static_cast<std::uint16_t>(packet.l3_offset + upper.offset);
    if (upper.protocol == kIpProtocolIcmp6) return Next::Ip6Icmp;
    const LocalTable::Family& local = ip.local.read(worker).ip6;
    if (upper.protocol == kIpProtocolUdp) {
      const auto* udp = packet.header<UdpHeader>(upper.offset);
      if (!udp) return Drop::Truncated;
      if (trace) trace->port = udp->destination.host();
      const std::uint16_t node = local.find_udp(udp->destination.host());
      if (node == LocalTable::kNobody) return Next::Ip6Punt;
      const std::uint32_t length = udp->length.host();
      if (length < sizeof(UdpHeader) || upper.offset + length > packet.chain_length) return Drop::BadUdpLength;
      if (!udp_checksum_right(packet, header, upper.offset, *udp)) return Drop::BadUdpChecksum;
      packet.pull(upper.offset + sizeof(UdpHeader));
      packet.arc_next = node;
      return Next::Registered;
    }
    if (local.protocol[upper.protocol] == LocalTable::kNobody) return Next::Ip6Punt;
    packet.pull(upper.offset);
    packet.arc_next = local.protocol[upper.protocol];
    return Next::Registered;
  }

 private:
  // RFC 8200 section 8.1. Tunnels may leave the checksum out (RFC 6935); their node decides, so zero passes here.
  static bool udp_checksum_right(const Packet& packet, const Ip6Header& header, std::size_t at,
                                 const UdpHeader& udp) noexcept {
    if (udp.checksum.raw == 0 || packet.has(kChecksumValid | kChecksumPartial)) return true;
    const std::uint32_t length = udp.length.host();
    const auto pseudo = pseudo_header_sum(header, kIpProtocolUdp, length);
    return checksum_fold(chain_sum(packet, at, length, pseudo)) == 0xffff;
  }
};

}  // namespace sluice
