// SPDX-License-Identifier: Apache-2.0
// Byte order is a type: a forgotten swap does not compile.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace sluice {

template <class T>
constexpr T swap_bytes(T v) {
  if constexpr (sizeof(T) == 2) {
    return static_cast<T>(__builtin_bswap16(v));
  } else if constexpr (sizeof(T) == 4) {
    return static_cast<T>(__builtin_bswap32(v));
  } else {
    return static_cast<T>(__builtin_bswap64(v));
  }
}

/// An integer as it lies on the wire. Made from a host value only when asked.
template <class T>
struct [[gnu::packed]] BigEndian {
  T raw;
  BigEndian() = default;
  explicit constexpr BigEndian(T host) : raw(swap_bytes(host)) {}
  constexpr T host() const { return swap_bytes(raw); }
  friend constexpr bool operator==(BigEndian a, BigEndian b) { return a.raw == b.raw; }
};
using be16 = BigEndian<std::uint16_t>;
using be32 = BigEndian<std::uint32_t>;
using be64 = BigEndian<std::uint64_t>;

static_assert(sizeof(be16) == 2 && alignof(be16) == 1 && std::is_trivially_copyable_v<be16>);
static_assert(sizeof(be32) == 4 && sizeof(be64) == 8 && be16(0x1234).raw == 0x3412);

}  // namespace sluice
