// SPDX-License-Identifier: Apache-2.0
// Checksums over a packet's chain, and the pseudo-headers of both families. RFC 1071, RFC 8200 section 8.1.
#pragma once
#include <algorithm>
#include <cstdint>

#include "sluice/net/checksum.h"
#include "sluice/net/ip4.h"
#include "sluice/net/ip6.h"
#include "sluice/packet.h"

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

inline std::uint64_t pseudo_header_sum(const Ip4Header& ip, std::uint8_t protocol, std::uint32_t length) noexcept {
  const be32 words[] = {be32(length), be32(std::uint32_t{protocol})};
  return checksum_add(checksum_add(0, &ip.source, 8), words, sizeof words);
}
inline std::uint64_t pseudo_header_sum(const Ip6Header& ip, std::uint8_t protocol, std::uint32_t length) noexcept {
  const be32 words[] = {be32(length), be32(std::uint32_t{protocol})};
  return checksum_add(checksum_add(0, &ip.source, 32), words, sizeof words);
}

/// Writes the header checksum anew.
inline void set_header_checksum(Ip4Header& ip) noexcept {
  ip.checksum.raw = 0;
  const auto sum = checksum_fold(checksum_add(0, &ip, std::size_t{ip.version_ihl & 15u} * 4));
  const auto value = static_cast<std::uint16_t>(~sum);
  ip.checksum.raw = value;
}

}  // namespace sluice
