// SPDX-License-Identifier: Apache-2.0
// SCTP's checksum. Linux leaves it to an output like those of TCP and UDP, but it is a CRC32c over the whole packet
// with no pseudo-header (RFC 9260 section 6.8), which no output makes that only knows Internet checksums. So it is made
// where the packet comes in. Pure functions; any thread.
#pragma once
#include <sluice/net/crc32c.h>
#include <sluice/net/ip4.h>
#include <sluice/net/ip6.h>
#include <sluice/net/protocol.h>
#include <sluice/packet.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sluice {

inline constexpr std::size_t kSctpHeader = 12;
inline constexpr std::uint16_t kSctpChecksumOffset = 8;

/// Bytes of the SCTP packet that begins at start (from packet.data), by the IP header in front of it; 0 where there is
/// none of SCTP, or the packet's first segment ends before SCTP's header does.
inline std::size_t sctp_length(const Packet& packet, std::size_t start) noexcept {
  if (start + kSctpHeader > packet.length) return 0;
  const std::size_t there = packet.chain_length - start;
  const auto fits = [&](std::size_t length) { return length >= kSctpHeader && length <= there ? length : 0; };
  for (std::size_t words = 5; words <= 15 && 4 * words <= start; ++words) {
    const auto* ip = packet.header<Ip4Header>(start - 4 * words);
    if (ip->version_ihl != (0x40 | words) || ip->protocol != kIpProtocolSctp) continue;
    return ip->total_length.host() > 4 * words ? fits(ip->total_length.host() - 4 * words) : 0;
  }
  if (start < sizeof(Ip6Header)) return 0;
  const auto* ip = packet.header<Ip6Header>(start - sizeof(Ip6Header));
  const bool sctp = (ip->version_class_flow.host() >> 28) == 6 && ip->next_header == kIpProtocolSctp;
  return sctp ? fits(ip->payload_length.host()) : 0;
}

/// Makes the checksum of an SCTP packet of that length at start.
inline void make_sctp_checksum(Packet& packet, std::size_t start, std::size_t length) noexcept {
  const std::uint32_t none = 0;
  std::byte* const field = packet.data + start + kSctpChecksumOffset;
  std::memcpy(field, &none, sizeof none);
  std::uint32_t crc = ~none;
  for (const Packet* segment = &packet; segment && length > 0; segment = segment->next_segment) {
    const std::size_t here = std::min(segment->length - start, length);
    crc = crc32c(crc, segment->data + start, here);
    length -= here;
    start = 0;
  }
  // RFC 9260 appendix A: the CRC's least significant byte comes first.
  crc = ~crc;
  std::memcpy(field, &crc, sizeof crc);
}

}  // namespace sluice
