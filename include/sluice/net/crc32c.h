// SPDX-License-Identifier: Apache-2.0
// CRC32C for hashes: by the CPU's instruction where there is one, else by tables, with the same values. Without the
// inversions at start and end that RFC 3720 section 12.1 adds.
#pragma once
#ifdef __SSE4_2__
#include <nmmintrin.h>
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sluice {
namespace detail {

inline constexpr auto kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    table[i] = crc;
  }
  return table;
}();

}  // namespace detail

/// The CRC of n bytes that follow those of crc. By tables: the oracle of the other.
inline std::uint32_t crc32c_portable(std::uint32_t crc, const void* bytes, std::size_t n) noexcept {
  const auto* at = static_cast<const std::uint8_t*>(bytes);
  for (; n; --n) crc = crc >> 8 ^ detail::kCrcTable[(crc ^ *at++) & 0xff];
  return crc;
}

/// Of the eight bytes of a word as they lie in memory.
inline std::uint32_t crc32c_word(std::uint32_t crc, std::uint64_t word) noexcept {
#ifdef __SSE4_2__
  return static_cast<std::uint32_t>(_mm_crc32_u64(crc, word));
#else
  return crc32c_portable(crc, &word, sizeof word);
#endif
}

inline std::uint32_t crc32c(std::uint32_t crc, const void* bytes, std::size_t n) noexcept {
  const auto* at = static_cast<const std::uint8_t*>(bytes);
  for (; n >= 8; n -= 8, at += 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    crc = crc32c_word(crc, word);
  }
  return crc32c_portable(crc, at, n);
}

/// Makes a flow's hash of a CRC. A CRC is linear: of flows whose ports count up, the low bits would follow a pattern.
/// Never zero, which means that there is no hash.
inline std::uint32_t spread_hash(std::uint32_t crc) noexcept {
  const auto hash = static_cast<std::uint32_t>((crc * 0x9e3779b97f4a7c15u) >> 32);
  return hash ? hash : 1;
}

}  // namespace sluice
