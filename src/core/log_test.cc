// SPDX-License-Identifier: Apache-2.0
#include "sluice/log.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sluice {
namespace {

TEST(Log, KeepsLinesAsEventAndFields) {
  log(LogLevel::Info, "pod attached", field("pod", "default/web"), field("note", "two words"), field("n", 3));
  ASSERT_FALSE(recent_log().empty());
  EXPECT_EQ(recent_log().back().text, "pod attached pod=default/web note=\"two words\" n=3");
}

TEST(Log, SuppressesAFloodOfOneEventAndKeepsItsMemoryBounded) {
  for (int i = 0; i < 5000; ++i) log(LogLevel::Warning, "flood", field("i", i));
  const auto lines = recent_log();
  const auto floods =
      std::count_if(lines.begin(), lines.end(), [](const LogLine& l) { return l.text.starts_with("flood"); });
  EXPECT_GE(floods, 10);
  EXPECT_LE(floods, 100);
  EXPECT_LE(lines.size(), kLogKept);
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  const auto before = recent_log().size();
  log(LogLevel::Debug, "detail");
  EXPECT_EQ(recent_log().size(), before);
}

}  // namespace
}  // namespace sluice
