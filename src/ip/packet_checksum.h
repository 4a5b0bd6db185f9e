// SPDX-License-Identifier: Apache-2.0
// Checksums of packets whose headers are at hand.
#pragma once
#include <algorithm>
#include <cstdint>

#include "sluice/kernels/finish_checksum.h"
#include "sluice/net/ip4.h"
#include "sluice/net/ip6.h"
#include "sluice/packet.h"

namespace sluice {

inline std::uint64_t pseudo_header_sum(const Ip4Header& ip, std::uint8_t protocol, std::uint32_t length) noexcept {
  return pseudo_header_sum(ip.source, ip.destination, protocol, length);
}
inline std::uint64_t pseudo_header_sum(const Ip6Header& ip, std::uint8_t protocol, std::uint32_t length) noexcept {
  return pseudo_header_sum(ip.source, ip.destination, protocol, length);
}

/// Writes the header checksum anew.
inline void set_header_checksum(Ip4Header& ip) noexcept {
  ip.checksum.raw = 0;
  ip.checksum.raw = checksum_finish(checksum_add(0, &ip, ip.header_length()));
}

}  // namespace sluice
