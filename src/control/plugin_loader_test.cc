// SPDX-License-Identifier: Apache-2.0
#include "control/plugin_loader.h"

#include <gtest/gtest.h>

#include "control/cpu.h"

namespace sluice {
namespace {

PluginDescriptor descriptor() {
  return {kAbiVersion, "shaper", "", SLUICE_ISA_NAME, nullptr, SLUICE_ABI_HASH, kCompiledLevel};
}

std::string refusal(const PluginDescriptor& plugin, unsigned process = kCompiledLevel, unsigned cpu = 4) {
  return text(fits(plugin, process, cpu));
}

TEST(PluginLoader, TakesWhatWasBuiltAsItselfWas) {
  EXPECT_EQ(refusal(descriptor()), "");
  EXPECT_GE(cpu_level(), kCompiledLevel) << "this test runs";
  EXPECT_EQ(text(fits(descriptor(), kCompiledLevel, cpu_level())), "");
}

TEST(PluginLoader, RefusesAnotherAbiAndOtherHeadersWithBothVersions) {
  auto plugin = descriptor();
  plugin.abi = 1;
  EXPECT_EQ(refusal(plugin), fmt::format("plugin shaper was built for ABI 1, this is ABI {}; build it against the "
                                         "installed headers",
                                         kAbiVersion));
  plugin = descriptor();
  plugin.headers = "0123456789ab";
  EXPECT_EQ(refusal(plugin), "plugin shaper was built with headers 0123456789ab, this process with " SLUICE_ABI_HASH
                             "; build it again against the installed headers, and all of a build folder at once");
}

TEST(PluginLoader, RefusesCodeForACpuThatTheProcessOrTheMachineIsNot) {
  auto plugin = descriptor();
  plugin.level = 4;
  const std::string mend = ", as -DSLUICE_ISA=" SLUICE_ISA_NAME " does when nothing else gives -march";
  EXPECT_EQ(refusal(plugin, 3, 4),
            "plugin shaper was compiled for CPUs of level x86-64-v4, this process for x86-64-v3, and the CPU has "
            "x86-64-v4; compile it for x86-64-v3" +
                mend);
  EXPECT_EQ(refusal(plugin, 4, 4), "");
  plugin.level = 2;
  EXPECT_EQ(refusal(plugin, 3, 4), "") << "what needs less runs";
}

TEST(PluginLoader, RefusesAnotherLevelOfTheBuildWithBoth) {
  auto plugin = descriptor();
  plugin.isa = "x86-64-v9";
  EXPECT_EQ(refusal(plugin), "plugin shaper was built for x86-64-v9, this process runs at " SLUICE_ISA_NAME
                             "; build it with -DSLUICE_ISA=" SLUICE_ISA_NAME);
}

}  // namespace
}  // namespace sluice
