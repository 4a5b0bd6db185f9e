// SPDX-License-Identifier: Apache-2.0
#include "control/capture_run.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "control/pcapng_fixture.h"
#include "sluice/clock.h"
#include "sluice/node.h"
#include "sluice/testing/memory_interfaces.h"
#include "sluice/testing/temp_folder.h"
#include "sluice/testing/test_world.h"

namespace sluice::capture {
namespace {

using testing::Bytes;
using testing::TestWorld;

struct Guard {
  static constexpr NodeInfo kInfo{"test-guard", "drops packets"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Never, NoRoute };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test knows why"; }
  Verdict operator()(Packet&, Worker&, Trace*) const noexcept { return Drop::NoRoute; }
};

class CaptureRunTest : public ::testing::Test {
 protected:
  CaptureRun& begin(std::uint64_t packets = 0, std::uint64_t bytes = 1u << 20) {
    auto file = PcapngFile::create(path, true, "a test");
    EXPECT_TRUE(file.ok()) << text(file.status());
    run = std::make_unique<CaptureRun>(world.graph(), interfaces, rings, *std::move(file),
                                       CaptureRun::Limits{.packets = packets, .bytes = bytes, .snap = 96});
    return *run;
  }
  void add(CaptureRing& ring, CaptureRecord record, char byte = 'x', std::size_t size = 40) {
    Packet* packet = world.make(Bytes(size, static_cast<std::uint8_t>(byte)));
    record.length = record.kept = static_cast<std::uint32_t>(size);
    record.node = NodeIndex{0};
    ring.add(record, packet->data, *packet);
    ring.commit();
    world.worker().buffers().free(packet);
  }
  CaptureRecord record(std::uint64_t when, InterfaceIndex interface,
                       CaptureEvent event = CaptureEvent::Received) const {
    CaptureRecord made;
    made.when = base + when;
    made.interface = interface;
    made.event = event;
    made.outbound = event == CaptureEvent::Sent;
    return made;
  }

  TestWorld world{[](Registry& registry) { registry.node<Guard>(); }};
  testing::MemoryInterfaces interfaces;
  const std::uint64_t base = tsc();
  const InterfaceIndex eth = interfaces.add("eth1"), pod = interfaces.add("pod/web", LinkLayer::Ip);
  const std::vector<std::shared_ptr<CaptureRing>> rings{std::make_shared<CaptureRing>(4096),
                                                        std::make_shared<CaptureRing>(4096)};
  testing::TempFolder folder;
  const std::string path = folder.file("a.pcapng");
  std::unique_ptr<CaptureRun> run;
};

TEST_F(CaptureRunTest, WritesThePacketsOfAllWorkersInTheOrderOfTheirTime) {
  begin();
  add(*rings[0], record(1000, eth), 'a');
  add(*rings[0], record(4000, eth), 'd');
  add(*rings[1], record(2000, eth), 'b');
  add(*rings[1], record(3000, eth), 'c');
  run->drain();
  run->end("stopped");
  EXPECT_EQ(run->ended(), "stopped");
  EXPECT_EQ(run->packets(), 4u);
  std::string order;
  std::vector<std::uint64_t> times;
  for (const auto& packet : PcapngContents::read(path).packets) {
    order += packet.bytes[0];
    times.push_back(packet.time);
  }
  EXPECT_EQ(order, "abcd");
  EXPECT_NEAR(static_cast<double>(times[3] - times[0]), static_cast<double>(tsc_to_ns(3000)), 2);
}

TEST_F(CaptureRunTest, SaysOfEachPacketWhereItWasAndWhy) {
  begin();
  CaptureRecord dropped = record(3, pod, CaptureEvent::Dropped);
  dropped.reason = static_cast<std::uint16_t>(Guard::Drop::NoRoute);
  dropped.link = LinkLayer::Ip;
  add(*rings[0], record(1, eth));
  add(*rings[0], record(2, eth, CaptureEvent::Sent));
  add(*rings[0], dropped);
  dropped.interface = {};
  add(*rings[0], dropped);
  run->end("stopped");
  const auto contents = PcapngContents::read(path);
  ASSERT_EQ(contents.packets.size(), 4u);
  EXPECT_EQ(contents.interfaces.size(), 3u);
  EXPECT_EQ(contents.packets[0].options.at(1), "rx test-guard");
  EXPECT_EQ(contents.packets[1].options.at(1), "tx test-guard");
  EXPECT_EQ(contents.packets[2].options.at(1), "drop test-guard no-route: the test knows why");
  EXPECT_EQ(contents.packets[0].options.at(2)[0], 1);
  EXPECT_EQ(contents.packets[1].options.at(2)[0], 2);
  EXPECT_EQ(contents.packets[2].options.at(2)[0], 1);
  EXPECT_EQ(contents.packets[3].options.at(2)[0], 0);
  EXPECT_EQ(contents.name(contents.packets[0]), "eth1");
  EXPECT_EQ(contents.name(contents.packets[2]), "pod/web");
  EXPECT_EQ(contents.name(contents.packets[3]), "-");
  EXPECT_EQ(contents.interfaces[contents.packets[2].interface].link, 12);
}

TEST_F(CaptureRunTest, AFileWithoutPacketsHasAnInterface) {
  begin();
  run->end("stopped");
  EXPECT_EQ(PcapngContents::read(path).interfaces.size(), 1u);
  EXPECT_EQ(run->bytes(), std::filesystem::file_size(path));
}

TEST_F(CaptureRunTest, EndsWithSoManyPackets) {
  begin(3);
  for (std::uint64_t i = 0; i < 5; ++i) add(*rings[0], record(i, eth));
  run->drain();
  EXPECT_EQ(run->ended(), "count reached");
  run->end("stopped");
  EXPECT_EQ(run->ended(), "count reached");
  EXPECT_EQ(PcapngContents::read(path).packets.size(), 3u);
}

TEST_F(CaptureRunTest, EndsBeforeTheFileIsLargerThanItMayBe) {
  begin(0, 1000);
  for (std::uint64_t i = 0; i < 30; ++i) add(*rings[0], record(i, eth));
  run->drain();
  EXPECT_EQ(run->ended(), "size reached");
  EXPECT_LE(std::filesystem::file_size(path), 1000u);
  EXPECT_EQ(run->bytes(), std::filesystem::file_size(path));
  const auto packets = PcapngContents::read(path).packets.size();
  EXPECT_GT(packets, 3u);
  EXPECT_EQ(run->packets(), packets);
}

TEST_F(CaptureRunTest, CountsWhatFoundARingFull) {
  begin();
  for (std::uint64_t i = 0; i < 100; ++i) add(*rings[i % 2], record(i, eth));
  run->end("stopped");
  EXPECT_GT(run->lost(), 0u);
  EXPECT_EQ(run->packets() + run->lost(), 100u);
  EXPECT_EQ(PcapngContents::read(path).packets.size(), run->packets());
}

TEST_F(CaptureRunTest, ADeletedInterfaceKeepsItsNameAndItsNumberIsNoOthers) {
  begin();
  add(*rings[0], record(1, pod));
  run->drain();
  EXPECT_TRUE(interfaces.remove(pod, {}).ok());
  run->forget(pod);
  add(*rings[0], record(2, pod));
  run->end("stopped");
  const auto contents = PcapngContents::read(path);
  ASSERT_EQ(contents.packets.size(), 2u);
  EXPECT_EQ(contents.name(contents.packets[0]), "pod/web");
  EXPECT_EQ(contents.name(contents.packets[1]), "deleted");
}

}  // namespace
}  // namespace sluice::capture
