// SPDX-License-Identifier: Apache-2.0
// Which packets of a flow may become one super-packet, and how. What is merged is what our own segmentation
// (segment_layout.h) gives back byte for byte, so the rules are those of the kernel's GRO, and narrower where that one
// would lose something.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "interface/segment_layout.h"
#include "sluice/device.h"
#include "sluice/kernels/finish_checksum.h"

namespace sluice {

/// What a packet is to GRO.
struct GroView {
  enum class Kind : std::uint8_t {
    Foreign,   ///< of no flow of TCP or UDP
    Unclear,   ///< its flow is not known: a fragment, options, extension headers, lengths that lie
    Flow,      ///< of a flow, but not to be merged
    Mergeable  ///< may begin a super-packet or continue one
  };
  Kind kind = Kind::Foreign;
  bool ip6 = false, tcp = false;
  std::uint16_t l3 = 0, l4 = 0, headers = 0;  ///< from packet.data; headers is where the payload begins
  std::uint16_t size = 0;                     ///< payload of one segment
  std::uint32_t payload = 0;
  std::uint32_t hash = 0;

  std::uint32_t segments() const { return (payload + size - 1) / size; }
};

namespace gro {

inline constexpr std::size_t kIpMax = 65535;
inline constexpr std::uint32_t kUdpSegmentsMax = 64;  ///< what the kernel takes as one
inline constexpr std::uint32_t kChainMax = 62;        ///< buffers in a super-packet: one system call sends them
inline constexpr std::uint8_t kNeverMerged = TcpHeader::kSyn | TcpHeader::kRst | TcpHeader::kUrg;
inline constexpr std::uint8_t kLastOnly = TcpHeader::kFin | TcpHeader::kPsh;

template <class H>
const H& at(const Packet& packet, std::size_t offset) noexcept {
  return *reinterpret_cast<const H*>(packet.data + offset);
}
template <class H>
H& at(Packet& packet, std::size_t offset) noexcept {
  return *reinterpret_cast<H*>(packet.data + offset);
}

inline bool equal_bytes(const Packet& a, const Packet& b, std::size_t offset, std::size_t n) noexcept {
  return std::memcmp(a.data + offset, b.data + offset, n) == 0;
}

inline std::uint32_t hash(const Packet& packet, std::size_t addresses, std::size_t bytes, std::size_t l4) noexcept {
  std::uint64_t mixed = at<be32>(packet, l4).raw;
  for (std::size_t i = 0; i < bytes; i += 4) mixed = (mixed ^ at<be32>(packet, addresses + i).raw) * 0x9e3779b97f4a7c15;
  return static_cast<std::uint32_t>(mixed >> 32);
}

/// The IP header; sets l4, ip6, tcp. False: the flow cannot be told.
inline bool look_ip4(const Packet& packet, GroView& view) noexcept {
  const auto* ip = packet.header<Ip4Header>(view.l3);
  if (!ip || ip->header_length() != sizeof *ip || ip->is_fragment()) return false;
  if (ip->total_length.host() != packet.chain_length - view.l3) return false;
  if (checksum_fold(checksum_add(0, ip, sizeof *ip)) != 0xffff) return false;
  view.l4 = static_cast<std::uint16_t>(view.l3 + sizeof *ip);
  view.tcp = ip->protocol == kIpProtocolTcp;
  view.kind = view.tcp || ip->protocol == kIpProtocolUdp ? GroView::Kind::Flow : GroView::Kind::Foreign;
  return true;
}

inline bool look_ip6(const Packet& packet, GroView& view) noexcept {
  const auto* ip = packet.header<Ip6Header>(view.l3);
  if (!ip || ip->payload_length.host() + sizeof *ip != packet.chain_length - view.l3) return false;
  view.ip6 = true;
  view.l4 = static_cast<std::uint16_t>(view.l3 + sizeof *ip);
  view.tcp = ip->next_header == kIpProtocolTcp;
  if (view.tcp || ip->next_header == kIpProtocolUdp) {
    view.kind = GroView::Kind::Flow;
    return true;
  }
  return ip->next_header == kIpProtocolIcmp6;
}

/// Whether a packet of a flow may be merged, as far as it can be told from itself.
inline bool look_transport(const Packet& packet, const Offloads& device, GroView& view) noexcept {
  std::size_t bytes = sizeof(UdpHeader);
  if (view.tcp) {
    const auto* tcp = packet.header<TcpHeader>(view.l4);
    if (!tcp || tcp->header_length() < sizeof *tcp || (tcp->flags & kNeverMerged) != 0) return false;
    bytes = tcp->header_length();
  } else {
    const auto* udp = packet.header<UdpHeader>(view.l4);
    // RFC 768: a checksum of zero is none, which segmentation would not give back.
    if (!udp || udp->length.host() != packet.chain_length - view.l4 || udp->checksum.raw == 0) return false;
  }
  view.headers = static_cast<std::uint16_t>(view.l4 + bytes);
  if (view.headers > packet.length || view.headers >= packet.chain_length) return false;
  view.payload = packet.chain_length - view.headers;
  const GsoType type = view.tcp ? (view.ip6 ? GsoType::Tcp6 : GsoType::Tcp4) : GsoType::UdpL4;
  if (packet.has(kGso) && (packet.gso_type != type || packet.gso_size == 0)) return false;
  view.size = packet.has(kGso) ? packet.gso_size : static_cast<std::uint16_t>(view.payload);
  if (packet.has(kChecksumPartial)) {
    const std::size_t field = view.tcp ? offsetof(TcpHeader, checksum) : offsetof(UdpHeader, checksum);
    if (packet.checksum_start != packet.offset() + view.l4 || packet.checksum_offset != field) return false;
  }
  return device.tx_checksum && (view.tcp ? (view.ip6 ? device.tx_tso6 : device.tx_tso4) : device.tx_uso);
}

inline GroView look(const Packet& packet, LinkLayer link, const Offloads& device) noexcept {
  GroView view;
  if (link == LinkLayer::Ethernet) {
    view.l3 = static_cast<std::uint16_t>(sluice::detail::find_l3(packet));
    if (view.l3 == 0) return view;
  }
  const auto* first = packet.header<std::uint8_t>(view.l3);
  const unsigned version = first ? *first >> 4 : 0;
  const bool clear = version == 4 ? look_ip4(packet, view) : version == 6 && look_ip6(packet, view);
  if (!clear || (view.kind == GroView::Kind::Flow && !packet.header<be32>(view.l4))) {
    view.kind = GroView::Kind::Unclear;
    return view;
  }
  if (view.kind != GroView::Kind::Flow) return view;
  const std::size_t addresses = view.l3 + (view.ip6 ? offsetof(Ip6Header, source) : offsetof(Ip4Header, source));
  view.hash = hash(packet, addresses, view.ip6 ? 2 * sizeof(Ip6Address) : 2 * sizeof(Ip4Address), view.l4);
  if (look_transport(packet, device, view)) view.kind = GroView::Kind::Mergeable;
  return view;
}

/// Whether both are of one flow: family, protocol, addresses and ports. Neither is Foreign or Unclear.
inline bool same_flow(const Packet& a, const GroView& va, const Packet& b, const GroView& vb) noexcept {
  if (va.hash != vb.hash || va.ip6 != vb.ip6 || va.tcp != vb.tcp || va.l3 != vb.l3) return false;
  const std::size_t addresses = va.l3 + (va.ip6 ? offsetof(Ip6Header, source) : offsetof(Ip4Header, source));
  return equal_bytes(a, b, addresses, va.l4 + 4u - addresses);
}

inline bool ip_follows(const Packet& head, const GroView& v, const Packet& next) noexcept {
  if (v.ip6) {
    const auto &a = at<Ip6Header>(head, v.l3), &b = at<Ip6Header>(next, v.l3);
    return a.version_class_flow.raw == b.version_class_flow.raw && a.hop_limit == b.hop_limit;
  }
  const auto &a = at<Ip4Header>(head, v.l3), &b = at<Ip4Header>(next, v.l3);
  if (a.tos != b.tos || a.ttl != b.ttl || a.fragment.raw != b.fragment.raw) return false;
  return b.id.host() == segment_id(a, v.segments());
}

inline bool tcp_follows(const Packet& head, const GroView& v, const Packet& next) noexcept {
  const auto &a = at<TcpHeader>(head, v.l4), &b = at<TcpHeader>(next, v.l4);
  // RFC 3168 section 6.1.2: CWR is for the first segment alone.
  constexpr auto kMayDiffer = static_cast<std::uint8_t>(kLastOnly | TcpHeader::kCwr);
  if ((a.flags & kLastOnly) != 0 || (b.flags & TcpHeader::kCwr) != 0 || ((a.flags ^ b.flags) & ~kMayDiffer) != 0)
    return false;
  if (b.sequence.host() != a.sequence.host() + v.payload || a.acknowledgement.raw != b.acknowledgement.raw)
    return false;
  // Also the bits beside the header's length, and all options: timestamps and the rest.
  return a.offset_reserved == b.offset_reserved && a.window.raw == b.window.raw && a.urgent.raw == b.urgent.raw &&
         equal_bytes(head, next, v.l4 + sizeof(TcpHeader), v.headers - v.l4 - sizeof(TcpHeader));
}

/// Whether next, of the same flow, continues head.
inline bool follows(const Packet& head, const GroView& v, const Packet& next, const GroView& n) noexcept {
  const bool full = v.payload % v.size == 0;  // a shorter segment is the last one
  if (!full || n.size > v.size || (next.has(kGso) && n.size != v.size) || v.headers != n.headers) return false;
  if (head.chain_length - v.l3 + n.payload > kIpMax) return false;
  if (!v.tcp && v.segments() + n.segments() > kUdpSegmentsMax) return false;
  if (head.tx_interface != next.tx_interface || head.arc_next != next.arc_next) return false;
  return equal_bytes(head, next, 0, v.l3) && ip_follows(head, v, next) && (!v.tcp || tcp_follows(head, v, next));
}

/// Whether the transport checksum holds, or is still to be made.
inline bool checksum_good(const Packet& packet, const GroView& v) noexcept {
  if (packet.has(kChecksumPartial | kChecksumValid)) return true;
  const std::uint32_t bytes = packet.chain_length - v.l4;
  const auto pseudo = [&](const auto& ip) {
    return pseudo_header_sum(ip.source, ip.destination, v.tcp ? kIpProtocolTcp : kIpProtocolUdp, bytes);
  };
  const std::uint64_t sum = v.ip6 ? pseudo(at<Ip6Header>(packet, v.l3)) : pseudo(at<Ip4Header>(packet, v.l3));
  return checksum_fold(chain_sum(packet, v.l4, bytes, sum)) == 0xffff;
}

/// Makes the headers of a head that has got more payload true: lengths, checksums, and what its output is to do.
inline void finish(Packet& head, const GroView& v) noexcept {
  const std::uint32_t l4_bytes = head.chain_length - v.l4;
  std::uint64_t sum = 0;
  if (v.ip6) {
    auto& ip = at<Ip6Header>(head, v.l3);
    ip.payload_length = be16(static_cast<std::uint16_t>(l4_bytes));
    sum = pseudo_header_sum(ip.source, ip.destination, ip.next_header, l4_bytes);
  } else {
    auto& ip = at<Ip4Header>(head, v.l3);
    ip.total_length = be16(static_cast<std::uint16_t>(l4_bytes + sizeof ip));
    ip.checksum.raw = 0;
    ip.checksum.raw = checksum_finish(checksum_add(0, &ip, sizeof ip));
    sum = pseudo_header_sum(ip.source, ip.destination, ip.protocol, l4_bytes);
  }
  const std::uint16_t partial = checksum_fold(sum);
  head.checksum_start = static_cast<std::uint16_t>(head.offset() + v.l4);
  if (v.tcp) {
    at<TcpHeader>(head, v.l4).checksum.raw = partial;
    head.checksum_offset = offsetof(TcpHeader, checksum);
    head.gso_type = v.ip6 ? GsoType::Tcp6 : GsoType::Tcp4;
  } else {
    at<UdpHeader>(head, v.l4).length = be16(static_cast<std::uint16_t>(l4_bytes));
    at<UdpHeader>(head, v.l4).checksum.raw = partial;
    head.checksum_offset = offsetof(UdpHeader, checksum);
    head.gso_type = GsoType::UdpL4;
  }
  head.flags = (head.flags & ~std::uint32_t{kChecksumValid}) | kChecksumPartial | kGso;
  head.gso_size = v.size;
}

}  // namespace gro
}  // namespace sluice
