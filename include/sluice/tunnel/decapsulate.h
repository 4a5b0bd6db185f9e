// SPDX-License-Identifier: Apache-2.0
// What is the same in the decapsulation of all tunnels.
#pragma once
#include <sluice/net/checksum.h>
#include <sluice/net/ip4.h>
#include <sluice/net/ip6.h>
#include <sluice/packet.h>
#include <sluice/tunnel/ecn.h>
#include <sluice/worker.h>

#include <cstdint>

namespace sluice {

enum class OuterEcn : std::uint8_t { Taken, Truncated, Congestion };

/// The packet is at an inner IPv4 header that nobody has checked. What the outer header says of congestion goes into
/// it; a wrong header checksum stays wrong.
inline OuterEcn take_outer_ecn4(Packet& packet, std::uint8_t outer_class) noexcept {
  auto* ip = packet.header<Ip4Header>();
  if (!ip) return OuterEcn::Truncated;
  const std::uint16_t tos = ecn_after_decap(ip->tos, outer_class);
  if (tos == ip->tos) [[likely]]
    return OuterEcn::Taken;
  if (tos == kEcnDrop) return OuterEcn::Congestion;
  const be16 before(static_cast<std::uint16_t>(ip->version_ihl << 8 | ip->tos));
  const be16 after(static_cast<std::uint16_t>(ip->version_ihl << 8 | tos));
  ip->checksum.raw = checksum_update(ip->checksum.raw, before.raw, after.raw);
  ip->tos = static_cast<std::uint8_t>(tos);
  return OuterEcn::Taken;
}

/// The same for IPv6.
inline OuterEcn take_outer_ecn6(Packet& packet, std::uint8_t outer_class) noexcept {
  auto* ip = packet.header<Ip6Header>();
  if (!ip) return OuterEcn::Truncated;
  const std::uint32_t word = ip->version_class_flow.host();
  const auto inner = static_cast<std::uint8_t>(word >> 20);
  const std::uint16_t traffic_class = ecn_after_decap(inner, outer_class);
  if (traffic_class == inner) [[likely]]
    return OuterEcn::Taken;
  if (traffic_class == kEcnDrop) return OuterEcn::Congestion;
  ip->version_class_flow = be32((word & ~(std::uint32_t{0xff} << 20)) | std::uint32_t{traffic_class} << 20);
  return OuterEcn::Taken;
}

/// The packet is at what was inside, and from now on one that the tunnel's interface has received. What was known of
/// the outer packet is forgotten.
inline void enter_from_tunnel(Packet& packet, InterfaceIndex tunnel, Worker& worker) noexcept {
  auto& counters = worker.counters(tunnel);
  counters[InterfaceCounter::RxPackets].add();
  counters[InterfaceCounter::RxBytes].add(packet.chain_length);
  packet.rx_interface = tunnel;
  packet.flags &= ~std::uint32_t{kChecksumValid | kBroadcast | kLocal | kReassembled};
  // One that was still to be made of the outer header is gone with that.
  if (packet.has(kChecksumPartial) && packet.checksum_start < packet.offset()) {
    packet.flags &= ~std::uint32_t{kChecksumPartial | kGso};
  }
  packet.flow_hash = 0;
  packet.session = 0;
  packet.l2_offset = packet.inner_l3_offset = packet.inner_l4_offset = 0;
}

}  // namespace sluice
