// SPDX-License-Identifier: Apache-2.0
// The pseudo-headers of both families. RFC 1071, RFC 8200 section 8.1.
#pragma once
#include <algorithm>
#include <cstdint>

#include "sluice/kernels/finish_checksum.h"
#include "sluice/net/ip4.h"
#include "sluice/net/ip6.h"
#include "sluice/packet.h"

namespace sluice {

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
