// SPDX-License-Identifier: Apache-2.0
#include "sluice/net/neighbor_options.h"

#include <gtest/gtest.h>

#include <vector>

#include "sluice/testing/packet_builder.h"

namespace sluice {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(NeighborOptions, GiveTheLinkAddresses) {
  const Bytes solicitation = testing::packet().ip6("::1", "::2").neighbor_solicitation("::3", "02::7");
  auto options = read_neighbor_options(std::span(solicitation).subspan(40 + sizeof(NeighborMessage)));
  EXPECT_TRUE(options.valid);
  ASSERT_TRUE(options.source_link);
  EXPECT_EQ(options.source_link->to_string(), "02:00:00:00:00:07");
  EXPECT_FALSE(options.target_link);
  const Bytes advertisement = testing::packet().ip6("::1", "::2").neighbor_advertisement("::3", "02::8");
  options = read_neighbor_options(std::span(advertisement).subspan(40 + sizeof(NeighborMessage)));
  EXPECT_FALSE(options.source_link);
  ASSERT_TRUE(options.target_link);
  EXPECT_EQ(options.target_link->to_string(), "02:00:00:00:00:08");
}

TEST(NeighborOptions, SkipWhatTheyDoNotKnow) {
  const Bytes bytes{99, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0, 0, 0x05, 0xdc};
  const auto options = read_neighbor_options(bytes);
  EXPECT_TRUE(options.valid);
  EXPECT_EQ(options.mtu, 1500u);
  EXPECT_TRUE(read_neighbor_options({}).valid);
}

TEST(NeighborOptions, AreNotValidWhenALengthLies) {
  for (const Bytes& bytes : {Bytes{1}, Bytes{1, 0, 2, 0, 0, 0, 0, 1}, Bytes{1, 2, 2, 0, 0, 0, 0, 1}, Bytes{1, 1, 2},
                             Bytes{1, 1, 2, 0, 0, 0, 0, 1, 9}}) {
    EXPECT_FALSE(read_neighbor_options(bytes).valid);
  }
}

}  // namespace
}  // namespace sluice
