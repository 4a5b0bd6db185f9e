// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <thread>

#include "interface/control_loop.h"
#include "interface/interface_manager.h"
#include "interface/nowhere_node.h"
#include "interface/numbered_device.h"
#include "sluice/node.h"
#include "sluice/testing/wait_for.h"

namespace sluice {
namespace {

using test::NumberedDevice;
using testing::wait_for;

/// Counts the packets of each queue, and those that are not the next.
struct Ip4Input {
  struct Seen {
    std::array<std::atomic<std::uint64_t>, 256> next{};
    std::atomic<std::uint64_t> out_of_order{0};
    std::array<std::atomic<std::uint64_t>, 8> by_worker{};
  };
  static constexpr NodeInfo kInfo{"ip4-input", "looks whether all come"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Seen };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test has seen it"; }
  Seen& seen;
  Verdict operator()(Packet& packet, Worker& worker, Trace*) const noexcept {
    auto& next = seen.next[std::to_integer<std::uint8_t>(packet.data[1])];
    std::uint64_t number = 0;
    std::memcpy(&number, packet.data + 8, sizeof number);
    if (number != next) ++seen.out_of_order;
    next = number + 1;
    ++seen.by_worker[worker.index() % seen.by_worker.size()];
    return Drop::Seen;
  }
};

struct RxPlacementTest : ::testing::Test {
  static constexpr unsigned kWorkers = 2;
  static constexpr std::uint64_t kOnTheWay = 1000;

  void SetUp() override {
    auto made = Dataplane::create({.workers = kWorkers, .pool = {.buffers = 8192, .hugepages = false}},
                                  [this](Rcu::Function f) { loop.post(std::move(f)); });
    ASSERT_TRUE(made.ok());
    dataplane = std::move(*made);
    registry.driver("loop");
    registry.node<Ip4Input>(seen);
    registry.node<test::Nowhere<'6'>>();
    registry.node<test::Nowhere<'e'>>();
    ASSERT_TRUE(dataplane->build(registry).ok());
    interfaces = std::make_unique<InterfaceManager>(*dataplane);
    dataplane->start();
  }
  void TearDown() override {
    stop_traffic();
    interfaces.reset();
    dataplane->rcu().drain();
    loop.run();
    dataplane->stop();
    EXPECT_EQ(dataplane->pool().usage().used, 0u) << "buffers leaked";
  }

  InterfaceIndex add(const std::string& name, NumberedDevice::Wires& with) {
    const auto index = interfaces->create(name, std::make_unique<NumberedDevice>(with));
    EXPECT_TRUE(index.ok()) << text(index.status());
    EXPECT_TRUE(interfaces->set_state(*index, true).ok());
    dataplane->rcu().drain();  // every worker has seen it up: none of its packets is dropped
    loop.run();
    return *index;
  }
  /// Packets on every queue, never so many on their way that a buffer could be missing; at times none, so that workers
  /// sleep.
  void start_traffic() {
    traffic = std::thread([this] {
      for (std::uint64_t round = 0; !stop; ++round) {
        for (std::size_t q = 0; q < wires.size(); ++q) {
          if (wires[q]->made - seen.next[q] < kOnTheWay) wires[q]->make(1 + round % 40);
        }
        if (round % 64 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
    });
  }
  void stop_traffic() {
    stop = true;
    if (traffic.joinable()) traffic.join();
  }
  /// All that was made has come, in order.
  void expect_all() {
    stop_traffic();
    for (std::size_t q = 0; q < wires.size(); ++q) {
      wait_for([&] { return seen.next[q] == wires[q]->made; });
      EXPECT_GT(wires[q]->made, 0u);
      EXPECT_EQ(seen.next[q], wires[q]->made) << "queue " << q;
      EXPECT_EQ(wires[q]->at_once, 0) << "two workers asked queue " << q << " at once";
    }
    EXPECT_EQ(seen.out_of_order, 0u);
  }
  /// Wires that outlive their devices.
  NumberedDevice::Wires& more(std::size_t queues) { return others.emplace_back(NumberedDevice::wires(queues)); }
  bool is_moving(InterfaceIndex index) const {
    const auto& all = interfaces->find(index)->placement;
    return std::any_of(all.begin(), all.end(), [](const RxPlacement& p) { return p.moving; });
  }

  test::ControlLoop loop;
  Ip4Input::Seen seen;
  NumberedDevice::Wires wires = NumberedDevice::wires(3);
  std::deque<NumberedDevice::Wires> others;
  Registry registry;
  std::unique_ptr<Dataplane> dataplane;
  std::unique_ptr<InterfaceManager> interfaces;
  std::thread traffic;
  std::atomic<bool> stop{false};
};

TEST_F(RxPlacementTest, SpreadsQueuesAndLonelyQueuesInTurn) {
  const auto three = add("three", wires);
  auto& single = more(1);
  const auto a = add("a", single), b = add("b", more(1));
  const auto workers = [&](InterfaceIndex index) {
    std::vector<std::uint32_t> all;
    for (const RxPlacement& p : interfaces->find(index)->placement) all.push_back(p.worker);
    return all;
  };
  EXPECT_EQ(workers(three), (std::vector<std::uint32_t>{0, 1, 0}));
  EXPECT_NE(workers(a), workers(b));
}

TEST_F(RxPlacementTest, AQueueThatIsMovedAThousandTimesUnderTrafficLosesNothing) {
  const auto index = add("in", wires);
  start_traffic();
  std::uint64_t waited = 0;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const auto queue = static_cast<std::uint16_t>(i % wires.size());
    const std::uint32_t now = interfaces->find(index)->placement[queue].worker;
    const auto moved = interfaces->set_rx_placement(index, queue, 1 - now);
    ASSERT_TRUE(moved.ok() && *moved);
    // Often back again before the worker has let go.
    if (i % 3 == 0) continue;
    waited += is_moving(index);
    wait_for([&] {
      loop.run();
      return !is_moving(index);
    });
  }
  wait_for([&] {
    loop.run();
    return !is_moving(index);
  });
  EXPECT_GT(waited, 0u);
  expect_all();
  EXPECT_GT(seen.by_worker[0], 0u);
  EXPECT_GT(seen.by_worker[1], 0u);
  const InterfaceQueues counts = interfaces->queues(index);
  for (std::size_t q = 0; q < wires.size(); ++q) EXPECT_EQ(counts.rx[q].packets, wires[q]->made);
}

TEST_F(RxPlacementTest, AllQueuesMoveToOneWorkerAndAreServedThere) {
  const auto index = add("in", wires);
  ASSERT_TRUE(*interfaces->set_rx_placement(index, {}, 1));
  EXPECT_FALSE(*interfaces->set_rx_placement(index, {}, 1)) << "the same again changes nothing";
  ASSERT_TRUE(*interfaces->set_rx_mode(index, RxMode::Interrupt));
  wait_for([&] {
    loop.run();
    return !is_moving(index);
  });
  for (auto& wire : wires) wire->make(100);
  expect_all();
  EXPECT_EQ(seen.by_worker[0], 0u);
  EXPECT_EQ(seen.by_worker[1], 300u);
  for (const auto& binding : dataplane->workers()[1]->queues().queues) EXPECT_EQ(binding.mode, RxMode::Interrupt);
}

TEST_F(RxPlacementTest, AnInterfaceThatIsDeletedWhileAQueueMovesGoesWhole) {
  const auto keep = add("in", wires);
  start_traffic();
  for (int i = 0; i < 100; ++i) {
    auto own = NumberedDevice::wires(2);
    const auto index = interfaces->create("gone", std::make_unique<NumberedDevice>(own));
    ASSERT_TRUE(index.ok());
    ASSERT_TRUE(*interfaces->set_rx_placement(*index, std::uint16_t{0}, 1));
    if (i % 2) loop.run();
    std::atomic<bool> done = false;
    ASSERT_TRUE(interfaces->remove(*index, [&] { done = true; }).ok());
    wait_for([&] {
      loop.run();
      return done.load();
    });
  }
  (void)keep;
  expect_all();
  std::size_t served = 0;
  for (auto& thread : dataplane->workers()) {
    for (const RxBinding& binding : thread->queues().queues) served += binding.queue != nullptr;
  }
  EXPECT_EQ(served, wires.size()) << "no worker still has a queue of what is gone";
}

// The rest of the node does not notice.
TEST_F(RxPlacementTest, TwoHundredInterfacesThatComeAndGoLoseNobodyElsesPackets) {
  add("in", wires);
  start_traffic();
  for (int round = 0; round < 10; ++round) {
    std::deque<NumberedDevice::Wires> own;
    std::vector<InterfaceIndex> made;
    for (int i = 0; i < 20; ++i) {
      own.push_back(NumberedDevice::wires(1 + static_cast<std::size_t>(i) % 4));
      const auto index = interfaces->create("other" + std::to_string(i), std::make_unique<NumberedDevice>(own.back()));
      ASSERT_TRUE(index.ok()) << text(index.status());
      ASSERT_TRUE(interfaces->set_state(*index, true).ok());
      made.push_back(*index);
    }
    loop.run();
    std::atomic<int> gone = 0;
    for (const InterfaceIndex index : made) ASSERT_TRUE(interfaces->remove(index, [&] { ++gone; }).ok());
    wait_for([&] {
      loop.run();
      return gone == 20;
    });
  }
  expect_all();
}

TEST_F(RxPlacementTest, RefusesQueuesAndWorkersThatAreNotThere) {
  const auto index = add("in", wires);
  const auto refusal = [&](std::optional<std::uint16_t> queue, std::uint32_t worker) {
    const auto would = interfaces->would_set_rx_placement(index, queue, worker);
    EXPECT_EQ(text(interfaces->set_rx_placement(index, queue, worker).status()), text(would.status()));
    return text(would.status());
  };
  EXPECT_EQ(refusal(std::uint16_t{3}, 0), "queue 3: in has receive queues 0 to 2");
  EXPECT_EQ(refusal({}, 2), "worker 2: there are workers 0 to 1");
  EXPECT_EQ(refusal(std::uint16_t{0}, 0), "");
  auto& none = more(0);
  const auto sink = interfaces->create("sink", std::make_unique<NumberedDevice>(none));
  ASSERT_TRUE(sink.ok());
  EXPECT_EQ(text(interfaces->set_rx_placement(*sink, {}, 0).status()),
            "interface sink has no receive queues of its own");
  auto& one = more(1);
  const auto single = add("single", one);
  EXPECT_EQ(text(interfaces->set_rx_placement(single, std::uint16_t{1}, 0).status()),
            "queue 1: single has receive queue 0 only");
  ASSERT_TRUE(interfaces->remove(single, {}).ok());
  EXPECT_FALSE(interfaces->set_rx_placement(single, {}, 0).ok());
}

}  // namespace
}  // namespace sluice
