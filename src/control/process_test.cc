// SPDX-License-Identifier: Apache-2.0
#include "control/process.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace sluice::process {
namespace {

TEST(Watchdog, AHeartbeatIsLateOnlyWhenItIsOlderThanTheLimit) {
  EXPECT_FALSE(overdue(1000, 1000, 10));
  EXPECT_FALSE(overdue(1000, 1010, 10));
  EXPECT_TRUE(overdue(1000, 1011, 10));
  EXPECT_TRUE(overdue(0, 1011, 10));
}

TEST(Watchdog, AHeartbeatThatCameBetweenTheReadsIsNotLate) { EXPECT_FALSE(overdue(1001, 1000, 10)); }

TEST(Watchdog, IsToldFourTimesAsOftenAsTheUnitAsks) {
  unsetenv("WATCHDOG_PID");
  unsetenv("WATCHDOG_USEC");
  EXPECT_EQ(watchdog_period(), std::nullopt);
  setenv("WATCHDOG_USEC", "10000000", 1);
  EXPECT_EQ(watchdog_period(), std::chrono::milliseconds(2500));
  unsetenv("WATCHDOG_USEC");
}

}  // namespace
}  // namespace sluice::process
