// SPDX-License-Identifier: Apache-2.0
// How many bytes of headers each segment of a super-packet will have.
#pragma once
#include <sluice/packet.h>

#include <cstdint>

namespace sluice {

/// From l3_offset to the end of the TCP or UDP header that is repeated, which in a tunnel is the innermost; packet.data
/// is at l3_offset.
inline std::uint32_t gso_header_bytes(const Packet& packet) noexcept {
  const std::uint16_t repeated = packet.inner_l3_offset ? packet.checksum_start : packet.l4_offset;
  const std::uint32_t l4 = static_cast<std::uint32_t>(repeated - packet.l3_offset);
  if (packet.gso_type == GsoType::UdpL4 || packet.gso_type == GsoType::Udp) return l4 + 8;
  // RFC 9293 section 3.1: the data offset, in words, in the upper half of byte 12.
  if (l4 + 13 > packet.length) return l4 + 20;
  return l4 + (std::to_integer<std::uint32_t>(packet.data[l4 + 12]) >> 4) * 4;
}

}  // namespace sluice
