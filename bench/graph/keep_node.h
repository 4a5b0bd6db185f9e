// SPDX-License-Identifier: Apache-2.0
// The end of a graph whose packets the benchmark sends again.
#pragma once
#include <sluice/node.h>

namespace sluice::bench {

template <char Which>
struct Keep {
  static constexpr char kName[] = {'k', 'e', 'e', 'p', Which, 0};
  static constexpr NodeInfo kInfo{kName, "keeps packets"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Never };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "never"; }
  Verdict operator()(Packet&, Worker&, Trace*) const noexcept { return Hold; }
};

}  // namespace sluice::bench
