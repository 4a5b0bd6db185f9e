// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sluice/tunnel/ecn.h>

namespace sluice::ipip {
namespace {

TEST(Ipip, CarriesCongestionThroughAsRfc6040Says) {
  // Rows: inner Not-ECT, ECT(0), ECT(1), CE; columns: outer in the same order. Figure 4.
  constexpr std::uint8_t kOrder[] = {kEcnNone, kEcnCapable0, kEcnCapable1, kEcnCongestion};
  constexpr std::uint16_t kWanted[4][4] = {
      {kEcnNone, kEcnNone, kEcnNone, kEcnDrop},
      {kEcnCapable0, kEcnCapable0, kEcnCapable1, kEcnCongestion},
      {kEcnCapable1, kEcnCapable1, kEcnCapable1, kEcnCongestion},
      {kEcnCongestion, kEcnCongestion, kEcnCongestion, kEcnCongestion},
  };
  for (std::size_t in = 0; in < 4; ++in) {
    for (std::size_t out = 0; out < 4; ++out) {
      EXPECT_EQ(ecn_after_decap(kOrder[in], kOrder[out]), kWanted[in][out]) << in << " " << out;
      if (kWanted[in][out] == kEcnDrop) continue;
      EXPECT_EQ(ecn_after_decap(static_cast<std::uint8_t>(0xfc | kOrder[in]), kOrder[out]), 0xfc | kWanted[in][out]);
    }
  }
}

}  // namespace
}  // namespace sluice::ipip
