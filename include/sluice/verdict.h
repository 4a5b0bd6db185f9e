// SPDX-License-Identifier: Apache-2.0
// What a kernel says about a packet: where it goes, why it is dropped, or that the kernel's state holds it now.
#pragma once
#include <cstdint>

namespace sluice {

struct HoldTag {};
/// The kernel's state owns the packet from here on.
inline constexpr HoldTag Hold{};

/// Sixteen bits: an enumerator of Next, or of Drop with the top bit, or Hold.
template <class Next, class Drop>
class Verdict {
 public:
  static constexpr std::uint16_t kDropBit = 0x8000;
  static constexpr std::uint16_t kHold = 0x7fff;
  constexpr Verdict(Next n) : code_(static_cast<std::uint16_t>(n)) {}                                    // NOLINT
  constexpr Verdict(Drop d) : code_(static_cast<std::uint16_t>(kDropBit | static_cast<unsigned>(d))) {}  // NOLINT
  constexpr Verdict(HoldTag) : code_(kHold) {}                                                           // NOLINT
  constexpr std::uint16_t code() const { return code_; }
  friend constexpr bool operator==(Verdict, Verdict) = default;

 private:
  std::uint16_t code_;
};

inline constexpr std::uint16_t kVerdictDropBit = 0x8000;
inline constexpr std::uint16_t kVerdictHold = 0x7fff;

}  // namespace sluice
