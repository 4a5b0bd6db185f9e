// SPDX-License-Identifier: Apache-2.0
// Ends a graph in tests whose packets do not matter.
#pragma once
#include <cstdint>
#include <string_view>

#include "sluice/node.h"

namespace sluice::test {

/// Drops all that comes. Which: '4', '6' or 'e', for ip4-input, ip6-input and ethernet-input.
template <char Which>
struct Nowhere {
  static constexpr NodeInfo kInfo{Which == '4' ? "ip4-input" : Which == '6' ? "ip6-input" : "ethernet-input", "drops"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Unwanted };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test sends none"; }
  Verdict operator()(Packet&, Worker&, Trace*) const noexcept { return Drop::Unwanted; }
};

}  // namespace sluice::test
