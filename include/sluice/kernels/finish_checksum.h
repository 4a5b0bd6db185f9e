// SPDX-License-Identifier: Apache-2.0
// Sums over a packet's chain, and the software's part of the checksum offload.
#pragma once
#include <sluice/net/checksum.h>
#include <sluice/packet.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace sluice {

/// Adds n bytes from offset (from packet.data) on to a sum; the caller has checked that the chain has them.
inline std::uint64_t chain_sum(const Packet& packet, std::size_t offset, std::size_t n, std::uint64_t sum) noexcept {
  bool odd = false;
  for (const Packet* segment = &packet; segment && n; segment = segment->next_segment) {
    if (offset >= segment->length) {
      offset -= segment->length;
      continue;
    }
    const std::size_t here = std::min<std::size_t>(segment->length - offset, n);
    // RFC 1071 section 2(B): the sum of bytes that start at an odd place is the swapped one.
    const std::uint16_t part = checksum_fold(checksum_add(0, segment->data + offset, here));
    sum += odd ? static_cast<std::uint16_t>(part << 8 | part >> 8) : part;
    odd ^= here & 1;
    n -= here;
    offset = 0;
  }
  return sum;
}

/// Completes a partial checksum: what an output with the offload does in hardware. The field already holds the
/// pseudo-header's sum. False: start or field is outside the head segment, and nothing changed but for the flag.
inline bool finish_checksum(Packet& packet) noexcept {
  packet.flags &= ~std::uint32_t{kChecksumPartial};
  if (packet.checksum_start < packet.offset()) return false;
  const std::size_t start = packet.checksum_start - packet.offset();
  const std::size_t field = start + packet.checksum_offset;
  if (field + 2 > packet.length) return false;
  // To TCP zero and its other form are the same.
  const std::uint16_t sum = checksum_finish_udp(chain_sum(packet, start, packet.chain_length - start, 0));
  std::memcpy(packet.data + field, &sum, sizeof sum);
  packet.flags |= kChecksumValid;
  return true;
}

}  // namespace sluice
