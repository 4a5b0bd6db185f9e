// SPDX-License-Identifier: Apache-2.0
#include "control/process.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace sluice::process {
namespace {

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
