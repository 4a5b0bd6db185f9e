// SPDX-License-Identifier: Apache-2.0
#include "core/scratch_run.h"

#include <gtest/gtest.h>

#include "sluice/testing/test_world.h"

namespace sluice {
namespace {

using testing::Bytes;
using testing::TestWorld;

/// By the first byte of a packet.
struct TestKernel {
  static constexpr NodeInfo kInfo{"test-kernel", "does all that a kernel may"};
  enum class Next : std::uint8_t { Device };
  enum class Drop : std::uint8_t { Unwanted };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    std::uint8_t first;
    void describe(auto&& field) const { field("first", first); }
  };
  static constexpr std::string_view why(Drop) { return "the test says so"; }
  static constexpr std::uint8_t kDrop = 0, kSend = 1, kHandOver = 2, kHandOverForEver = 3, kReport = 4;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) noexcept {
    auto& first = *packet.header<std::uint8_t>();
    if (trace) *trace = {first};
    packet.tx_interface = packet.rx_interface;
    switch (first) {
      case kReport: worker.report({}); return Next::Device;
      case kHandOver: first = kSend; [[fallthrough]];
      case kHandOverForEver:
        return worker.hand_off(kOtherWorker, NodeIndex{0}, &packet) ? Verdict(Hold) : Verdict(Drop::Unwanted);
      case kSend: return Next::Device;
      default: return Drop::Unwanted;
    }
  }
  static constexpr unsigned kOtherWorker = 1;
};

/// Gives each packet to its interface's transmit queue.
struct TestOut {
  static constexpr NodeInfo kInfo{"test-out", "gives packets to transmit queues"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Refused };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the queue takes none"; }
  Verdict operator()(Packet& packet, Worker& worker, Trace*) const noexcept {
    TxQueue* queue = worker.tx().by_worker[worker.index()][packet.tx_interface.slot()].queue;
    Packet* const one = &packet;
    return queue->transmit(worker, std::span<Packet* const>(&one, 1)) == 1 ? Verdict(Hold) : Verdict(Drop::Refused);
  }
};

struct LiveQueue final : TxQueue {
  std::size_t transmit(Worker&, std::span<Packet* const>) noexcept override {
    ADD_FAILURE() << "a packet has left";
    return 0;
  }
};

struct ScratchRunTest : ::testing::Test {
  LiveQueue queue;
  TestWorld world{[](Registry& registry) {
                    registry.node<TestKernel>();
                    registry.node<TestOut>();
                  },
                  64};
  InterfaceIndex interface =
      world.add_interface([&](InterfaceState& s) { s.output_node = world.graph().find("test-out"); });

  ScratchRunTest() {
    world.tx.update([&](TxBindings& t) { t.by_worker.assign(2, std::vector<TxBinding>{{&queue, 0}}); });
    world.worker().begin_pass();
  }
  WorkerShared shared() {
    return {world.pool(), world.graph(), world.interfaces, world.features, world.tx, world.trace, world.capture};
  }
  static std::vector<std::uint16_t> codes(const ScratchRun& run) {
    std::vector<std::uint16_t> all;
    for (const TraceStep& step : run.steps()) all.push_back(step.code);
    return all;
  }
};

TEST_F(ScratchRunTest, LooksAtWhatIsTransmittedAndFreesIt) {
  ScratchRun run(world.rcu, shared());
  Bytes bytes(3000, 7);
  bytes[0] = TestKernel::kSend;
  run.run(interface, NodeIndex{0}, run.make(bytes));
  ASSERT_EQ(run.sent().size(), 1u);
  EXPECT_EQ(run.sent_packets(), 1u);
  EXPECT_EQ(run.sent()[0].interface, interface);
  EXPECT_EQ(run.sent()[0].length, 3000u);
  EXPECT_EQ(run.sent()[0].bytes, Bytes(bytes.begin(), bytes.begin() + ScratchRun::kKeptBytes));
  EXPECT_FALSE(run.sent()[0].made_here);
}

TEST_F(ScratchRunTest, KeepsItsCountersDropsAndMessagesToItself) {
  for (const std::uint8_t what : {TestKernel::kDrop, TestKernel::kReport}) {
    ScratchRun run(world.rcu, shared());
    run.run(interface, NodeIndex{0}, run.make(Bytes{what}));
    EXPECT_EQ(run.worker().graph().node(NodeIndex{0}).packets.get(), 1u);
  }
  const NodeRuntime& live = world.worker().graph().node(NodeIndex{0});
  EXPECT_EQ(live.packets.get(), 0u);
  EXPECT_EQ(live.drop_packets[0].get(), 0u);
  EXPECT_EQ(world.worker().counters(interface)[InterfaceCounter::Drops].get(), 0u);
  EXPECT_TRUE(world.worker().drops().read().empty());
  EXPECT_TRUE(world.worker().messages().empty());
}

TEST_F(ScratchRunTest, FollowsAPacketToAnotherWorkerAndNotForEver) {
  {
    ScratchRun run(world.rcu, shared());
    run.run(interface, NodeIndex{0}, run.make(Bytes{TestKernel::kHandOver}));
    EXPECT_EQ(codes(run), (std::vector<std::uint16_t>{kVerdictHold, 0, kVerdictHold}));
    EXPECT_EQ(run.sent().size(), 1u);
  }
  ScratchRun run(world.rcu, shared());
  run.run(interface, NodeIndex{0}, run.make(Bytes{TestKernel::kHandOverForEver}));
  EXPECT_TRUE(run.cut());
  EXPECT_TRUE(run.sent().empty());
  EXPECT_LE(run.worker().graph().node(NodeIndex{0}).packets.get(), 64u);
}

TEST_F(ScratchRunTest, SaysWhenThereAreNoBuffersAndGivesBackWhatItHas) {
  {
    ScratchRun run(world.rcu, shared());
    EXPECT_EQ(run.make(Bytes(70 * kSegmentSize)), nullptr);
    Packet* packet = run.make(Bytes{TestKernel::kDrop});
    ASSERT_NE(packet, nullptr) << "what the long one had by then has gone back";
    run.run(interface, NodeIndex{0}, packet);
  }
  std::vector<Packet*> all;
  while (Packet* packet = world.worker().buffers().alloc()) all.push_back(packet);
  EXPECT_EQ(all.size(), 64u);
  {
    ScratchRun run(world.rcu, shared());
    EXPECT_EQ(run.make(Bytes(1)), nullptr);
  }
  for (Packet* packet : all) world.worker().buffers().free(packet);
}

}  // namespace
}  // namespace sluice
