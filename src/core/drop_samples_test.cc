// SPDX-License-Identifier: Apache-2.0
#include "sluice/drop_samples.h"

#include <gtest/gtest.h>

#include <thread>

#include "sluice/testing/packet_builder.h"
#include "sluice/testing/test_world.h"

namespace sluice {
namespace {

using testing::TestWorld;

constexpr std::uint64_t kSecond = 1000;

class DropSamplesTest : public ::testing::Test {
 protected:
  /// Notes one packet of an interface.
  void note(std::uint32_t interface, std::uint16_t reason, std::uint64_t now, std::size_t bytes = 60) {
    Packet* packet = world_.make(std::vector<std::uint8_t>(bytes, 0x45));
    packet->rx_interface = InterfaceIndex{interface};
    samples_.note(NodeIndex{3}, reason, *packet, now);
    world_.worker().buffers().free(packet);
  }
  TestWorld world_;
  DropSamples samples_{kSecond};
};

TEST_F(DropSamplesTest, KeepsOneOfAnInterfaceAndReasonASecond) {
  for (std::uint64_t now = 2000; now < 4000; now += 10) note(1, 7, now);
  const auto kept = samples_.read();
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].when, 2000u);
  EXPECT_EQ(kept[1].when, 3000u);
  EXPECT_EQ(kept[0].node, NodeIndex{3});
  EXPECT_EQ(kept[0].reason, 7u);
}

TEST_F(DropSamplesTest, KeepsOtherReasonsAndInterfacesBesides) {
  note(1, 7, 2000);
  note(1, 8, 2000);
  note(2, 7, 2000);
  EXPECT_EQ(samples_.read().size(), 3u);
}

TEST_F(DropSamplesTest, KeepsTheLatestWhenItIsFull) {
  for (std::uint64_t i = 0; i < DropSamples::kSamples + 5; ++i) note(1, 7, 2000 + i * kSecond);
  const auto kept = samples_.read();
  ASSERT_EQ(kept.size(), DropSamples::kSamples);
  EXPECT_EQ(kept.front().when, 2000 + 5 * kSecond);
}

TEST_F(DropSamplesTest, SaysNothingOfAFlowThatCannotBeRead) {
  Packet* packet = world_.make(std::vector<std::uint8_t>(5, 0xff));
  samples_.note(NodeIndex{1}, 0, *packet, 5000);
  world_.worker().buffers().free(packet);
  ASSERT_EQ(samples_.read().size(), 1u);
  EXPECT_EQ(samples_.read()[0].has_flow, 0u);
  EXPECT_EQ(samples_.read()[0].length, 5u);
}

TEST_F(DropSamplesTest, AReaderNeverSeesHalfASample) {
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint64_t i = 1; i < 20000; ++i) note(static_cast<std::uint32_t>(i % 7), 1, i * kSecond, 20 + i % 40);
    done = true;
  });
  std::size_t seen = 0;
  for (bool last = false; !last;) {
    last = done;  // once more behind the writer's end, if all its writes came before the first look
    for (const DropSample& sample : samples_.read()) {
      const std::uint64_t i = sample.when / kSecond;
      EXPECT_EQ(sample.rx_interface.value, i % 7);
      EXPECT_EQ(sample.length, 20 + i % 40);
      ++seen;
    }
  }
  writer.join();
  EXPECT_GT(seen, 0u);
}

}  // namespace
}  // namespace sluice
