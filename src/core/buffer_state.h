// SPDX-License-Identifier: Apache-2.0
// What pool and caches both know of a buffer.
#pragma once
#include <cstdint>

namespace sluice {

/// Packet::pool_state. Buffers begin free; debug builds keep it true and look.
inline constexpr std::uint32_t kAlive = 0xa11fe000, kFree = 0xf4ee0000;
/// Buffers that lie side by side and go to one cache, as long as it has no more than its share of a part.
inline constexpr std::uint32_t kOwnStretch = 256, kShares = 32;

}  // namespace sluice
