// SPDX-License-Identifier: Apache-2.0
// The Internet checksum. Sums are in the order of the wire's bytes as this machine reads them: what is stored needs no
// swap. RFC 1071, RFC 1624.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sluice {

/// Adds n bytes to an unfolded sum.
inline std::uint64_t checksum_add(std::uint64_t sum, const void* bytes, std::size_t n) noexcept {
  const auto* at = static_cast<const unsigned char*>(bytes);
  for (; n >= 4; n -= 4, at += 4) {
    std::uint32_t word;
    std::memcpy(&word, at, 4);
    sum += word;
  }
  if (n >= 2) {
    std::uint16_t word;
    std::memcpy(&word, at, 2);
    sum += word;
    at += 2;
    n -= 2;
  }
  return n ? sum + *at : sum;
}

/// To 16 bits, not yet complemented.
inline std::uint16_t checksum_fold(std::uint64_t sum) noexcept {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

/// The checksum after a 16-bit word changed, all three as they lie on the wire. RFC 1624 equation 3.
inline std::uint16_t checksum_update(std::uint16_t checksum, std::uint16_t before, std::uint16_t after) noexcept {
  const std::uint64_t sum =
      std::uint64_t{static_cast<std::uint16_t>(~checksum)} + static_cast<std::uint16_t>(~before) + after;
  return static_cast<std::uint16_t>(~checksum_fold(sum));
}

}  // namespace sluice
