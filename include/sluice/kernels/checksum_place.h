// SPDX-License-Identifier: Apache-2.0
// Where a partial checksum may be made. The far side has named the place, and whoever finishes the checksum, we or the
// kernel behind an output, writes there after every check of the headers has been passed.
#pragma once
#include <sluice/net/protocol.h>
#include <sluice/packet.h>

#include <cstdint>

namespace sluice {

/// For a packet with kChecksumPartial, whose l3_offset and l4_offset are set: protocol is what the IP header names,
/// ip_bytes its length on from l3_offset. Behind the IP header is either that protocol's own checksum, or one further
/// in: a packet that the sender has put into a tunnel, or a header behind IPv6 extension headers.
[[nodiscard]] inline bool checksum_place_ok(const Packet& packet, std::uint8_t protocol,
                                            std::uint32_t ip_bytes) noexcept {
  constexpr std::uint16_t kTcp = 16, kUdp = 6, kSctp = 8;  // where their headers keep it
  constexpr std::uint32_t kShortest = 8;  // of the headers that something with a checksum can stand behind
  if (std::uint32_t{packet.checksum_start} + packet.checksum_offset + 2u > packet.l3_offset + ip_bytes) return false;
  if (packet.checksum_start != packet.l4_offset)
    return protocol != kIpProtocolTcp && packet.checksum_start >= packet.l4_offset + kShortest;
  switch (protocol) {
    case kIpProtocolTcp: return packet.checksum_offset == kTcp;
    case kIpProtocolUdp: return packet.checksum_offset == kUdp;
    case kIpProtocolSctp: return packet.checksum_offset == kSctp;
    default: return false;
  }
}

}  // namespace sluice
