// SPDX-License-Identifier: Apache-2.0
// Where the headers of a super-packet lie, and how each of its segments gets its own.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "sluice/net/checksum.h"
#include "sluice/net/ethernet.h"
#include "sluice/net/ip4.h"
#include "sluice/net/ip6.h"
#include "sluice/net/tcp.h"
#include "sluice/net/udp.h"
#include "sluice/packet.h"

namespace sluice {

/// Offsets from packet.data; all headers lie in the first segment.
struct SegmentLayout {
  std::size_t l3 = 0, l4 = 0, payload = 0;
  bool ip6 = false, tcp = false;
  Ip4Header ip4{};  ///< of the super-packet
  std::uint32_t sequence = 0;
  std::uint8_t tcp_flags = 0;

  std::uint8_t protocol() const { return tcp ? kIpProtocolTcp : kIpProtocolUdp; }
  std::size_t checksum_offset() const { return tcp ? offsetof(TcpHeader, checksum) : offsetof(UdpHeader, checksum); }
};

namespace detail {

/// Behind the Ethernet header and up to two VLAN tags; 0 when what follows is not IP.
inline std::size_t find_l3(const Packet& packet) noexcept {
  std::size_t at = offsetof(EthernetHeader, type);
  for (int tags = 0; tags <= 2; ++tags) {
    const auto* type = packet.header<be16>(at);
    if (!type) return 0;
    if (type->host() == kEthertypeIp4 || type->host() == kEthertypeIp6) return at + sizeof *type;
    if (type->host() != kEthertypeVlan && type->host() != kEthertypeQinQ) return 0;
    at += sizeof(VlanTag);
  }
  return 0;
}

}  // namespace detail

/// The identification of the segment behind n others. RFC 6864 section 4.1: a packet that is never fragmented needs
/// none, and what has zero (many senders' choice) keeps it.
inline std::uint16_t segment_id(const Ip4Header& first, std::size_t n) noexcept {
  const bool none = first.id.raw == 0 && (first.fragment.host() & Ip4Header::kDontFragment) != 0;
  return none ? std::uint16_t{0} : static_cast<std::uint16_t>(first.id.host() + n);
}

/// Finds the headers of a packet with kGso. False: they are not what gso_type and the checksum's place say.
[[nodiscard]] inline bool find_layout(const Packet& packet, bool ethernet, SegmentLayout& layout) noexcept {
  layout.l3 = ethernet ? detail::find_l3(packet) : 0;
  if (ethernet && layout.l3 == 0) return false;
  layout.tcp = packet.gso_type != GsoType::UdpL4;
  layout.l4 = std::size_t{packet.checksum_start} - packet.offset();
  const auto* first = packet.header<std::uint8_t>(layout.l3);
  if (!first || packet.checksum_start < packet.offset() || packet.checksum_offset != layout.checksum_offset())
    return false;
  layout.ip6 = *first >> 4 == 6;
  if (layout.ip6) {
    if (packet.gso_type == GsoType::Tcp4 || layout.l4 < layout.l3 + sizeof(Ip6Header)) return false;
  } else {
    const auto* ip = packet.header<Ip4Header>(layout.l3);
    if (!ip || *first >> 4 != 4 || packet.gso_type == GsoType::Tcp6) return false;
    if (ip->header_length() < sizeof *ip || layout.l4 != layout.l3 + ip->header_length()) return false;
    if (ip->protocol != layout.protocol()) return false;
    layout.ip4 = *ip;
  }
  layout.payload = layout.l4 + sizeof(UdpHeader);
  if (layout.tcp) {
    const auto* tcp = packet.header<TcpHeader>(layout.l4);
    if (!tcp || tcp->header_length() < sizeof *tcp) return false;
    layout.payload = layout.l4 + tcp->header_length();
    layout.sequence = tcp->sequence.host();
    layout.tcp_flags = tcp->flags;
  }
  return layout.payload <= packet.length && packet.chain_length > layout.payload && packet.gso_size > 0;
}

/// The sum of the pseudo header for `length` bytes of transport header and payload.
inline std::uint64_t pseudo_sum(const Packet& packet, const SegmentLayout& layout, std::size_t length) noexcept {
  const auto sum = [&](const auto& ip) {
    return pseudo_header_sum(ip.source, ip.destination, layout.protocol(), static_cast<std::uint32_t>(length));
  };
  return layout.ip6 ? sum(*packet.header<Ip6Header>(layout.l3)) : sum(*packet.header<Ip4Header>(layout.l3));
}

/// Makes the copied headers of a segment true: lengths, IPv4 identification and checksum, TCP sequence and flags, and
/// the pseudo-header sum in the transport checksum's place. number counts segments from 0, done the payload bytes
/// before.
inline void finish_headers(Packet& segment, const SegmentLayout& layout, std::size_t number, std::size_t done,
                           bool last) noexcept {
  const std::size_t l3_bytes = segment.chain_length - layout.l3, l4_bytes = segment.chain_length - layout.l4;
  if (layout.ip6) {
    auto* ip = segment.header<Ip6Header>(layout.l3);
    ip->payload_length = be16(static_cast<std::uint16_t>(l3_bytes - sizeof *ip));
  } else {
    auto* ip = segment.header<Ip4Header>(layout.l3);
    ip->total_length = be16(static_cast<std::uint16_t>(l3_bytes));
    ip->id = be16(segment_id(layout.ip4, number));
    ip->checksum.raw = 0;
    ip->checksum.raw = checksum_finish(checksum_add(0, ip, ip->header_length()));
  }
  const std::uint16_t sum = checksum_fold(pseudo_sum(segment, layout, l4_bytes));
  if (layout.tcp) {
    auto* tcp = segment.header<TcpHeader>(layout.l4);
    tcp->sequence = be32(layout.sequence + static_cast<std::uint32_t>(done));
    // RFC 3168 section 6.1.2: CWR is for the first segment that carries new data; FIN and PSH belong to the last byte.
    if (number > 0) tcp->flags = static_cast<std::uint8_t>(tcp->flags & ~TcpHeader::kCwr);
    if (!last) tcp->flags = static_cast<std::uint8_t>(tcp->flags & ~(TcpHeader::kFin | TcpHeader::kPsh));
    tcp->checksum.raw = sum;
  } else {
    auto* udp = segment.header<UdpHeader>(layout.l4);
    udp->length = be16(static_cast<std::uint16_t>(l4_bytes));
    udp->checksum.raw = sum;
  }
}

}  // namespace sluice
