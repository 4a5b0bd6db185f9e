// SPDX-License-Identifier: Apache-2.0
// Explicit congestion notification in tunnels. RFC 6040.
#pragma once
#include <cstdint>

namespace sluice {

inline constexpr std::uint8_t kEcnMask = 3, kEcnNone = 0, kEcnCapable1 = 1, kEcnCapable0 = 2, kEcnCongestion = 3;
/// The packet must be dropped: its sender does not understand that there is congestion.
inline constexpr std::uint16_t kEcnDrop = 0x100;

/// What the inner header says after decapsulation: RFC 6040 section 4.2, figure 4. Only the two ECN bits of outer
/// count; inner's other bits stay.
constexpr std::uint16_t ecn_after_decap(std::uint8_t inner, std::uint8_t outer) noexcept {
  const std::uint8_t in = inner & kEcnMask, out = outer & kEcnMask;
  if (out == kEcnCongestion) {
    return in == kEcnNone ? kEcnDrop : static_cast<std::uint16_t>(inner | kEcnCongestion);
  }
  if (in == kEcnCapable0 && out == kEcnCapable1) return static_cast<std::uint16_t>((inner & ~kEcnMask) | kEcnCapable1);
  return inner;
}

}  // namespace sluice
