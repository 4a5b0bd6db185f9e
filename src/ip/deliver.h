// SPDX-License-Identifier: Apache-2.0
// What ip4-local and ip6-local do with a packet whose upper layer they have found: give it to whoever registered for
// it, the rest to the host.
#pragma once
#include "ip/packet_checksum.h"
#include "ip/state.h"
#include "sluice/net/udp.h"
#include "sluice/node.h"

namespace sluice {

/// Rules: the family's header, edges and reasons.
template <class Rules>
struct Deliver : Rules {
  using typename Rules::Drop;
  using typename Rules::Header;
  using typename Rules::Next;
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    decltype(Header::source) source;
    std::uint8_t protocol;
    std::uint16_t port;
    void describe(auto&& field) const {
      field("source", source);
      field("protocol", protocol);
      if (port) field("port", port);
    }
  };

  const IpState& ip;

  explicit Deliver(const IpState& state) : ip(state) {}

 protected:
  /// The upper layer begins at bytes from packet.data.
  Verdict deliver(Packet& packet, std::uint8_t protocol, std::size_t at, Worker& worker, Trace* trace) const noexcept {
    packet.l3_offset = packet.offset();
    packet.l4_offset = static_cast<std::uint16_t>(packet.l3_offset + at);
    if (protocol == Rules::kIcmpProtocol) return Rules::kIcmp;
    const LocalTable::Family& local = Rules::family_of(ip.local.read(worker));
    std::uint16_t node = local.protocol[protocol];
    if (protocol == kIpProtocolUdp) {
      const auto* udp = packet.header<UdpHeader>(at);
      if (!udp) return Drop::Truncated;
      if (trace) trace->port = udp->destination.host();
      node = local.find_udp(udp->destination.host());
      if (node == LocalTable::kNobody) return Rules::kPunt;
      const std::uint32_t length = udp->length.host();
      if (length < sizeof(UdpHeader) || at + length > packet.chain_length) return Drop::BadUdpLength;
      if (!udp_checksum_right(packet, at, *udp)) return Drop::BadUdpChecksum;
      at += sizeof(UdpHeader);
    }
    if (node == LocalTable::kNobody) return Rules::kPunt;
    packet.pull(at);
    packet.arc_next = node;
    return Next::Registered;
  }

 private:
  // RFC 1122 section 4.1.3.4, RFC 8200 section 8.1. Zero means that the sender made none; in IPv6 only tunnels may
  // leave it out (RFC 6935), and their node decides.
  static bool udp_checksum_right(const Packet& packet, std::size_t at, const UdpHeader& udp) noexcept {
    if (udp.checksum.raw == 0 || packet.has(kChecksumValid | kChecksumPartial)) return true;
    const std::uint32_t length = udp.length.host();
    const auto pseudo = pseudo_header_sum(*packet.header<Header>(), kIpProtocolUdp, length);
    return checksum_fold(chain_sum(packet, at, length, pseudo)) == 0xffff;
  }
};

}  // namespace sluice
