// SPDX-License-Identifier: Apache-2.0
// Puts a remote's outer headers in front of a packet and finds its way on. For the output nodes of tunnels.
#pragma once
#include <sluice/forwarding.h>
#include <sluice/graph.h>
#include <sluice/kernels/finish_checksum.h>
#include <sluice/kernels/gso_headers.h>
#include <sluice/kernels/push_rewrite.h>
#include <sluice/net/icmp.h>
#include <sluice/net/ip4.h>
#include <sluice/net/ip6.h>
#include <sluice/net/udp.h>
#include <sluice/packet.h>
#include <sluice/tunnel/remote.h>
#include <sluice/worker.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace sluice {

/// What the outer header takes from the inner packet.
struct TunnelInner {
  std::uint8_t traffic_class = 0;  ///< DSCP and ECN
  std::uint8_t ttl = 64;
  bool dont_fragment = false;

  static TunnelInner of(const Ip4Header& ip) noexcept {
    return {ip.tos, ip.ttl, (ip.fragment.host() & Ip4Header::kDontFragment) != 0};
  }
  static TunnelInner of(const Ip6Header& ip) noexcept {
    return {static_cast<std::uint8_t>(ip.version_class_flow.host() >> 20), ip.hop_limit, true};
  }
};

/// What to do with a packet that may be too long for the path.
enum class TunnelFit : std::uint8_t {
  Fits,      ///< go on, outer headers as the policy says
  CutOuter,  ///< go on, the outer packet may be fragmented
  CutInner,  ///< to ip4-fragment
  TooLong4,  ///< to ip4-icmp-error
  TooLong6,  ///< to ip6-icmp-error
};

/// For packets longer than remote.mtu only. The packet is at its inner IP header (checked, l3_offset and l4_offset are
/// its); icmp_error is filled in where the verdict needs it.
inline TunnelFit tunnel_too_long(Packet& packet, bool inner_ip6, std::uint32_t mtu) noexcept {
  constexpr std::uint32_t kIp6Least = 1280;  // RFC 2473 section 7.1: what IPv6 counts on the tunnel must carry
  if (inner_ip6) mtu = std::max(mtu, kIp6Least);
  const std::uint32_t size = packet.has(kGso) ? packet.wire_size(gso_header_bytes(packet)) : packet.chain_length;
  if (size <= mtu) return packet.has(kGso) ? TunnelFit::Fits : TunnelFit::CutOuter;
  packet.icmp_error = {kIcmpUnreachable, 4, 0, mtu};
  if (inner_ip6) {
    packet.icmp_error = {kIcmp6PacketTooBig, 0, 0, mtu};
    return TunnelFit::TooLong6;
  }
  const auto* ip = packet.known_header<Ip4Header>();
  if (packet.has(kGso) || (ip->fragment.host() & Ip4Header::kDontFragment)) return TunnelFit::TooLong4;
  packet.flags |= kLocal;  // the fragments come back by ip4-rewrite, where the hop is not to be counted again
  return TunnelFit::CutInner;
}

namespace detail {

/// With the inner checksum still to be made its bytes will sum up to the complement of the pseudo header's sum that
/// stands in its place, whatever the payload is.
inline std::uint16_t tunnel_udp_checksum(const Packet& packet, std::size_t udp, std::uint64_t pseudo) noexcept {
  std::size_t bytes = packet.chain_length - udp;
  if (packet.has(kChecksumPartial)) {
    const std::size_t start = static_cast<std::size_t>(packet.checksum_start - packet.offset());
    std::uint16_t inner;
    if (start + packet.checksum_offset + sizeof inner <= packet.length) {
      std::memcpy(&inner, packet.data + start + packet.checksum_offset, sizeof inner);
      pseudo += static_cast<std::uint16_t>(~inner);
      bytes = start - udp;
    }
  }
  return checksum_finish_udp(chain_sum(packet, udp, bytes, pseudo));
}

inline void finish_outer4(Packet& packet, const TunnelRemote& remote, const TunnelInner& inner, bool dont_fragment,
                          std::uint16_t id) noexcept {
  auto& ip = *packet.known_header<Ip4Header>();
  const TunnelPolicy& policy = remote.policy;
  // RFC 6040 section 4.1, normal mode: the ECN bits are copied.
  ip.tos = policy.dscp == TunnelPolicy::kInheritDscp
               ? inner.traffic_class
               : static_cast<std::uint8_t>(policy.dscp << 2 | (inner.traffic_class & 3));
  ip.ttl = policy.ttl == TunnelPolicy::kInheritTtl ? inner.ttl : policy.ttl;
  ip.total_length = be16(static_cast<std::uint16_t>(packet.chain_length));
  ip.fragment = be16(dont_fragment ? Ip4Header::kDontFragment : std::uint16_t{0});
  // RFC 6864 section 4.1: what is never fragmented needs none.
  ip.id = be16(dont_fragment ? std::uint16_t{0} : id);
  // Words as they lie on the wire.
  const std::uint32_t sum = std::uint32_t{remote.sum} + ip.total_length.raw + ip.fragment.raw + ip.id.raw +
                            (std::uint32_t{ip.tos} << 8) + ip.ttl;
  ip.checksum.raw = checksum_finish(sum);
}

inline void finish_outer6(Packet& packet, const TunnelRemote& remote, const TunnelInner& inner,
                          std::uint32_t flow_hash) noexcept {
  auto& ip = *packet.known_header<Ip6Header>();
  const TunnelPolicy& policy = remote.policy;
  const std::uint32_t traffic_class = policy.dscp == TunnelPolicy::kInheritDscp
                                          ? inner.traffic_class
                                          : std::uint32_t{policy.dscp} << 2 | (inner.traffic_class & 3u);
  // RFC 6438: the flow label tells flows apart in a tunnel.
  ip.version_class_flow = be32(6u << 28 | traffic_class << 20 | (flow_hash & 0xfffff));
  ip.hop_limit = policy.ttl == TunnelPolicy::kInheritTtl ? inner.ttl : policy.ttl;
  ip.payload_length = be16(static_cast<std::uint16_t>(packet.chain_length - sizeof ip));
}

}  // namespace detail

/// The caller has checked headroom() against header_bytes. inner_l3: where the inner IP header lies, from storage(); 0
/// when it is not IP. id: a counter of the kernel's for IPv4 identifications.
inline void push_outer(Packet& packet, const TunnelRemote& remote, const TunnelInner& inner, std::uint16_t inner_l3,
                       bool may_cut, std::uint16_t& id) noexcept {
  packet.inner_l3_offset = inner_l3 ? inner_l3 : packet.offset();
  packet.inner_l4_offset = packet.l4_offset;
  const std::uint32_t flow_hash = packet.flow_hash;
  std::byte* outer = packet.push(remote.header_bytes);
  if (remote.header_bytes == sizeof(Ip4Header)) {
    std::memcpy(outer, remote.headers.data(), sizeof(Ip4Header));
  } else {
    std::memcpy(outer, remote.headers.data(), remote.header_bytes);
  }
  packet.l3_offset = packet.offset();
  std::uint64_t pseudo = 0;
  const auto l4_bytes = static_cast<std::uint32_t>(packet.chain_length - remote.udp_offset);
  if (remote.ip6) {
    detail::finish_outer6(packet, remote, inner, flow_hash);
    packet.l4_offset = static_cast<std::uint16_t>(packet.l3_offset + sizeof(Ip6Header));
  } else {
    const TunnelDf df = remote.policy.df;
    const bool dont_fragment = !may_cut && (df == TunnelDf::Set || (df == TunnelDf::Inherit && inner.dont_fragment));
    detail::finish_outer4(packet, remote, inner, dont_fragment, id);
    // A super-packet's segments count on from its own.
    id = static_cast<std::uint16_t>(id + (packet.has(kGso) ? packet.chain_length / packet.gso_size + 1 : 1));
    packet.l4_offset = static_cast<std::uint16_t>(packet.l3_offset + sizeof(Ip4Header));
  }
  if (remote.udp_offset) {
    auto& udp = *packet.known_header<UdpHeader>(remote.udp_offset);
    // RFC 7348 section 5: from the range for private use, so that the underlay spreads flows.
    udp.source = be16(static_cast<std::uint16_t>(0xc000 | (flow_hash & 0x3fff)));
    udp.length = be16(static_cast<std::uint16_t>(l4_bytes));
    if (remote.policy.udp_checksum) {
      if (remote.ip6) {
        const auto& ip = *packet.known_header<Ip6Header>();
        pseudo = pseudo_header_sum(ip.source, ip.destination, kIpProtocolUdp, l4_bytes);
      } else {
        const auto& ip = *packet.known_header<Ip4Header>();
        pseudo = pseudo_header_sum(ip.source, ip.destination, kIpProtocolUdp, l4_bytes);
      }
      udp.checksum.raw = detail::tunnel_udp_checksum(packet, remote.udp_offset, pseudo);
    }
  }
  packet.table = remote.table;
  // RFC 2003 section 3.1: the outer header is this node's own, its hops are not counted here.
  packet.flags = (packet.flags & ~std::uint32_t{kBroadcast | kChecksumValid | kReassembled}) | kLocal;
}

/// Where a packet goes behind its outer headers.
enum class TunnelWay : std::uint8_t {
  Output,   ///< it has its link-layer header: to interface-output
  Rewrite,  ///< an adjacency is ready: to the outer family's rewrite
  Lookup,   ///< a neighbour is still to be found, or the route has just changed
};

/// Points the packet at the underlay. plain: the packet is known to fit there and nothing else wants to see it before
/// interface-output, so that its link-layer header goes in front at once.
inline TunnelWay tunnel_way(Packet& packet, const ForwardingTable& objects, std::uint32_t forwarding,
                            bool plain) noexcept {
  packet.forwarding = ForwardingIndex{forwarding};
  const Forwarding* object = &objects.at(packet.forwarding);
  if (object->kind == ForwardingKind::Group) {
    packet.forwarding = object->members[packet.flow_hash & (object->group_size - 1u)];
    object = &objects.at(packet.forwarding);
  }
  packet.tx_interface = object->interface;
  if (object->kind != ForwardingKind::Adjacency) return TunnelWay::Lookup;
  if (!plain || packet.headroom() < object->rewrite_length) return TunnelWay::Rewrite;
  push_rewrite(packet, *object);
  return TunnelWay::Output;
}

/// Cross-subnet: points a packet at the underlay as it is, behind whose hop count it is already. False, and the packet
/// is as it was: the remote's neighbour is not known yet, so that only a packet for the remote itself can find it.
inline bool tunnel_direct(Packet& packet, const TunnelRemote& remote, const ForwardingTable& objects,
                          std::uint32_t forwarding) noexcept {
  const InterfaceIndex tunnel = packet.tx_interface;
  const ForwardingIndex adjacency = packet.forwarding;
  if (tunnel_way(packet, objects, forwarding, false) == TunnelWay::Lookup) {
    packet.tx_interface = tunnel;
    packet.forwarding = adjacency;
    return false;
  }
  packet.flags |= kLocal;
  packet.table = remote.table;
  return true;
}

/// Whether no interface has features between the family's rewrite and interface-output. Asked once a vector.
inline bool output_is_plain(const Worker& worker, std::uint16_t arc) noexcept {
  const auto& start = worker.features().start;
  return arc < start.size() && start[arc].empty();
}

/// The arcs ip4-output and ip6-output.
struct TunnelArcs {
  std::uint16_t ip4 = 0xffff, ip6 = 0xffff;  ///< not known: every packet goes through the rewrite
  static TunnelArcs of(const Graph& graph) {
    return {graph.find_arc("ip4-output").value_or(0xffff), graph.find_arc("ip6-output").value_or(0xffff)};
  }
};

}  // namespace sluice
