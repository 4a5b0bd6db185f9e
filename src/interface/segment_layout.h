// SPDX-License-Identifier: Apache-2.0
// Where the headers of a super-packet lie, and how each of its segments gets its own.
#pragma once
#include <array>
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

/// A tunnel's header around the packet that is cut.
struct OuterLayout {
  std::size_t l3 = 0, udp = 0;  ///< udp 0: none
  bool ip6 = false, udp_checksum = false;
  Ip4Header ip4{};  ///< of the super-packet
};

/// Offsets from packet.data; all headers lie in the first segment.
struct SegmentLayout {
  static constexpr std::size_t kMaxOuter = 8;

  std::size_t l3 = 0, l4 = 0, payload = 0;
  bool ip6 = false, tcp = false;
  Ip4Header ip4{};  ///< of the super-packet
  std::uint32_t sequence = 0;
  std::uint8_t tcp_flags = 0;
  std::size_t outer_count = 0;
  std::array<OuterLayout, kMaxOuter> outer;  ///< from the outermost on

  std::uint8_t protocol() const { return tcp ? kIpProtocolTcp : kIpProtocolUdp; }
  std::size_t checksum_offset() const { return tcp ? offsetof(TcpHeader, checksum) : offsetof(UdpHeader, checksum); }
};

namespace detail {

/// Behind the Ethernet header and up to two VLAN tags; 0 when what follows is not IP.
inline std::size_t find_l3(const Packet& packet, std::size_t frame = 0) noexcept {
  std::size_t at = frame + offsetof(EthernetHeader, type);
  for (int tags = 0; tags <= 2; ++tags) {
    const auto* type = packet.header<be16>(at);
    if (!type) return 0;
    if (type->host() == kEthertypeIp4 || type->host() == kEthertypeIp6) return at + sizeof *type;
    if (type->host() != kEthertypeVlan && type->host() != kEthertypeQinQ) return 0;
    at += sizeof(VlanTag);
  }
  return 0;
}

/// A tunnel's IP header at outer.l3. Where the IP header inside lies; 0: this one is no tunnel's.
inline std::size_t find_inner_l3(const Packet& packet, std::size_t l4, OuterLayout& outer) noexcept {
  constexpr std::size_t kVxlanHeader = 8;
  const auto* first = packet.header<std::uint8_t>(outer.l3);
  if (!first) return 0;
  outer.ip6 = *first >> 4 == 6;
  std::size_t behind = outer.l3 + sizeof(Ip6Header);
  std::uint8_t protocol = 0;
  if (outer.ip6) {
    const auto* ip = packet.header<Ip6Header>(outer.l3);
    if (!ip) return 0;
    protocol = ip->next_header;
  } else {
    const auto* ip = packet.header<Ip4Header>(outer.l3);
    if (!ip) return 0;
    outer.ip4 = *ip;
    behind = outer.l3 + ip->header_length();
    protocol = ip->protocol;
  }
  if (behind >= l4) return 0;
  if (protocol == kIpProtocolIpIp || protocol == kIpProtocolIp6) return behind;
  const auto* udp = packet.header<UdpHeader>(behind);
  if (protocol != kIpProtocolUdp || !udp) return 0;
  outer.udp = behind;
  outer.udp_checksum = udp->checksum.raw != 0;
  return find_l3(packet, behind + sizeof *udp + kVxlanHeader);
}

/// Steps over the tunnels' headers that this node has put around a packet. False: there are too many.
inline bool skip_outer(const Packet& packet, SegmentLayout& layout) noexcept {
  if (packet.inner_l3_offset == 0) return true;
  while (true) {
    OuterLayout outer;
    outer.l3 = layout.l3;
    const std::size_t inner = find_inner_l3(packet, layout.l4, outer);
    if (inner == 0) return true;
    if (layout.outer_count == SegmentLayout::kMaxOuter) return false;
    layout.outer[layout.outer_count++] = outer;
    layout.l3 = inner;
  }
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
  if (packet.checksum_start < packet.offset() || packet.checksum_offset != layout.checksum_offset()) return false;
  if (!detail::skip_outer(packet, layout)) return false;
  const auto* first = packet.header<std::uint8_t>(layout.l3);
  if (!first) return false;
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

/// A tunnel's header around a segment whose inner headers are finished.
inline void finish_outer(Packet& segment, const SegmentLayout& layout, const OuterLayout& outer,
                         std::size_t number) noexcept {
  const std::size_t l3_bytes = segment.chain_length - outer.l3, udp_bytes = segment.chain_length - outer.udp;
  std::uint64_t pseudo = 0;
  if (outer.ip6) {
    auto* ip = segment.header<Ip6Header>(outer.l3);
    ip->payload_length = be16(static_cast<std::uint16_t>(l3_bytes - sizeof *ip));
    pseudo = pseudo_header_sum(ip->source, ip->destination, kIpProtocolUdp, static_cast<std::uint32_t>(udp_bytes));
  } else {
    auto* ip = segment.header<Ip4Header>(outer.l3);
    ip->total_length = be16(static_cast<std::uint16_t>(l3_bytes));
    ip->id = be16(segment_id(outer.ip4, number));
    ip->checksum.raw = 0;
    ip->checksum.raw = checksum_finish(checksum_add(0, ip, ip->header_length()));
    pseudo = pseudo_header_sum(ip->source, ip->destination, kIpProtocolUdp, static_cast<std::uint32_t>(udp_bytes));
  }
  if (outer.udp == 0) return;
  auto* udp = segment.header<UdpHeader>(outer.udp);
  udp->length = be16(static_cast<std::uint16_t>(udp_bytes));
  udp->checksum.raw = 0;
  if (!outer.udp_checksum) return;
  // What the inner checksum covers will sum up to the complement of what stands in its place, whatever the payload is.
  std::uint16_t inner;
  std::memcpy(&inner, segment.data + layout.l4 + layout.checksum_offset(), sizeof inner);
  const std::uint64_t headers = checksum_add(pseudo, segment.data + outer.udp, layout.l4 - outer.udp);
  udp->checksum.raw = checksum_finish_udp(headers + static_cast<std::uint16_t>(~inner));
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
  for (std::size_t i = layout.outer_count; i-- > 0;) finish_outer(segment, layout, layout.outer[i], number);
}

}  // namespace sluice
