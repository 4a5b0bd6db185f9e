// SPDX-License-Identifier: Apache-2.0
#include "levels.h"

#include <gtest/gtest.h>

namespace sluice::launcher {
namespace {

const std::vector<Level> kAll{
    {"x86-64-v2", {"tun", "null"}}, {"x86-64-v4", {"tun", "null"}}, {"x86-64-v3", {"tun", "null"}}};

TEST(Levels, NamesSayWhatTheirCodeNeeds) {
  EXPECT_EQ(cpu_of("x86-64-v2"), 2);
  EXPECT_EQ(cpu_of("x86-64-v4"), 4);
  EXPECT_EQ(cpu_of("native"), 0);
  for (const auto* other : {"", "x86-64-v", "x86-64-v33", "x86-64-vX", "cmake", "x86-64"}) EXPECT_LT(cpu_of(other), 0);
}

TEST(Levels, TakesTheHighestThatTheCpuHas) {
  EXPECT_EQ(choose(kAll, 4, "", {}).level, "x86-64-v4");
  EXPECT_EQ(choose(kAll, 3, "", {}).level, "x86-64-v3");
  EXPECT_EQ(choose(kAll, 2, "", {}).level, "x86-64-v2");
  EXPECT_TRUE(choose(kAll, 3, "", {}).remarks.empty());
  auto with_native = kAll;
  with_native.push_back({"native", {"tun", "null"}});
  EXPECT_EQ(choose(with_native, 3, "", {}).level, "native");
}

TEST(Levels, RefusesWhenTheCpuHasNone) {
  const Choice choice = choose(kAll, 1, "", {});
  EXPECT_EQ(choice.level, "");
  EXPECT_EQ(choice.error,
            "this CPU has x86-64-v1, and installed are: x86-64-v4, x86-64-v3, x86-64-v2; build it with "
            "-DSLUICE_ISA=x86-64-v1");
}

TEST(Levels, TakesTheOneThatIsAskedForOrSaysWhatThereIs) {
  EXPECT_EQ(choose(kAll, 4, "x86-64-v2", {"absent"}).level, "x86-64-v2");
  Choice choice = choose(kAll, 3, "x86-64-v4", {});
  EXPECT_EQ(choice.level, "");
  EXPECT_EQ(choice.error, "--isa x86-64-v4: this CPU has x86-64-v3; installed and fit for it: x86-64-v3, x86-64-v2");
  choice = choose({kAll[0]}, 4, "x86-64-v3", {});
  EXPECT_EQ(choice.level, "");
  EXPECT_EQ(choice.error, "--isa x86-64-v3: not installed; installed and fit for this CPU: x86-64-v2");
  EXPECT_EQ(choose({kAll[1]}, 2, "fast", {}).error, "--isa fast: not installed; installed and fit for this CPU: none");
}

TEST(Levels, PassesOverALevelThatLacksAPlugin) {
  auto installed = kAll;
  installed[0].plugins.push_back("shaper");
  installed[2].plugins.push_back("shaper");
  Choice choice = choose(installed, 4, "", {"tun", "shaper"});
  EXPECT_EQ(choice.level, "x86-64-v3");
  ASSERT_EQ(choice.remarks.size(), 1u);
  EXPECT_EQ(choice.remarks[0], "x86-64-v4 has no shaper");
  EXPECT_EQ(choose(installed, 4, "", {}).level, "x86-64-v3") << "all plugins are wanted that any level has";
  EXPECT_EQ(choose(installed, 4, "", {"tun"}).level, "x86-64-v4") << "it is not wanted";
}

TEST(Levels, RefusesWhenEachLevelLacksAnotherPlugin) {
  auto installed = kAll;
  installed[1].plugins = {"tun", "null", "b"};
  installed[2].plugins = {"tun", "a", "b"};
  installed[0].plugins = {"null", "a", "b"};
  const Choice choice = choose(installed, 3, "", {});
  EXPECT_EQ(choice.level, "");
  EXPECT_EQ(
      choice.error,
      "no CPU level that is installed and fit for this CPU has every plugin: x86-64-v3 has no null; x86-64-v2 has "
      "no tun; build the plugins for one of them, name those that you want under plugins.load, or give --isa");
}

TEST(Levels, LeavesAPluginThatNobodyHasToTheDaemon) {
  EXPECT_EQ(choose(kAll, 4, "", {"tun", "absent"}).level, "x86-64-v4");
}

}  // namespace
}  // namespace sluice::launcher
