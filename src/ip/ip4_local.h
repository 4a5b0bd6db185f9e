// SPDX-License-Identifier: Apache-2.0
// ip4-local: gives packets for this node to whoever registered for them, the rest to the host. RFC 1122 sections 3.2.1
// and 4.1.
#pragma once
#include "ip/packet_checksum.h"
#include "ip/state.h"
#include "sluice/net/udp.h"
#include "sluice/node.h"

namespace sluice {

struct Ip4Local {
  static constexpr NodeInfo kInfo{"ip4-local", "gives packets for this node to whoever registered for them"};
  enum class Next : std::uint8_t { Ip4Icmp, Ip4Reassembly, Ip4Punt, Registered };
  enum class Drop : std::uint8_t { Truncated, BadUdpLength, BadUdpChecksum };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    Ip4Address source;
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
      case Drop::Truncated: return "fewer bytes than a UDP header";
      case Drop::BadUdpLength: return "the UDP length is below 8 or beyond the packet";
      case Drop::BadUdpChecksum: return "the UDP checksum is wrong";
    }
    return "";
  }

  const IpState& ip;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    const auto& header = *packet.header<Ip4Header>();
    const std::uint8_t protocol = header.protocol;
    if (trace) *trace = {header.source, protocol, 0};
    if (header.is_fragment()) return Next::Ip4Reassembly;
    const std::size_t header_bytes = header.header_length();
    packet.l3_offset = packet.offset();
    packet.l4_offset = static_cast<std::uint16_t>(packet.l3_offset + header_bytes);
    if (protocol == kIpProtocolIcmp) return Next::Ip4Icmp;
    const LocalTable::Family& local = ip.local.read(worker).ip4;
    if (protocol == kIpProtocolUdp) {
      const auto* udp = packet.header<UdpHeader>(header_bytes);
      if (!udp) return Drop::Truncated;
      if (trace) trace->port = udp->destination.host();
      const std::uint16_t node = local.find_udp(udp->destination.host());
      if (node == LocalTable::kNobody) return Next::Ip4Punt;
      const std::uint32_t length = udp->length.host();
      if (length < sizeof(UdpHeader) || header_bytes + length > packet.chain_length) return Drop::BadUdpLength;
      if (!udp_checksum_right(packet, header, header_bytes, *udp)) return Drop::BadUdpChecksum;
      packet.pull(header_bytes + sizeof(UdpHeader));
      packet.arc_next = node;
      return Next::Registered;
    }
    if (local.protocol[protocol] == LocalTable::kNobody) return Next::Ip4Punt;
    packet.pull(header_bytes);
    packet.arc_next = local.protocol[protocol];
    return Next::Registered;
  }

 private:
  // RFC 1122 section 4.1.3.4; zero means that the sender made none.
  static bool udp_checksum_right(const Packet& packet, const Ip4Header& header, std::size_t header_bytes,
                                 const UdpHeader& udp) noexcept {
    if (udp.checksum.raw == 0 || packet.has(kChecksumValid | kChecksumPartial)) return true;
    const std::uint32_t length = udp.length.host();
    const auto pseudo = pseudo_header_sum(header, kIpProtocolUdp, length);
    return checksum_fold(chain_sum(packet, header_bytes, length, pseudo)) == 0xffff;
  }
};

}  // namespace sluice
