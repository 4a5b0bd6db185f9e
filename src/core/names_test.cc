// SPDX-License-Identifier: Apache-2.0
#include "sluice/names.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace sluice {
namespace {

template <char>
struct Kernel {
  enum class Drop : std::uint8_t { Truncated, Ip4TooShort, N0 };
  enum class Next : std::uint8_t {};
};

TEST(Names, AreReadInAnonymousNamespacesAndTemplatesToo) {
  EXPECT_EQ(enum_count<Kernel<'e'>::Drop>(), 3u);
  EXPECT_EQ(enum_count<Kernel<'e'>::Next>(), 0u);
  EXPECT_EQ(std::string_view(name_of<Kernel<'e'>::Drop::Ip4TooShort>), "ip4-too-short");
  EXPECT_EQ(names_of<Kernel<'7'>::Drop>()[2], "n0");
}

}  // namespace
}  // namespace sluice
