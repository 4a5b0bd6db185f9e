// SPDX-License-Identifier: Apache-2.0
#include "control/node_context.h"

#include <gtest/gtest.h>

#include <atomic>

#include "sluice/testing/wait_for.h"

namespace sluice {
namespace {

using testing::wait_for;

// Counts what arrives and from where.
struct Arrivals {
  static constexpr NodeInfo kInfo{"arrivals", "counts packets"};
  struct Seen {
    std::atomic<std::uint64_t> of_interface{0}, of_none{0};
  };
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Counted };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test has counted it"; }
  Seen& seen;
  Verdict operator()(Packet& packet, Worker&, Trace*) const noexcept {
    ++(packet.rx_interface.valid() ? seen.of_interface : seen.of_none);
    return Drop::Counted;
  }
};

// A source of a number of packets.
class Source final : public RxQueue {
 public:
  explicit Source(int packets) : left_(packets) {}
  std::size_t receive(Worker& worker, std::span<Packet*> packets) noexcept override {
    std::size_t n = 0;
    for (; n < packets.size() && left_ > 0; ++n, --left_) {
      packets[n] = worker.buffers().alloc();
      packets[n]->length = 1;
      packets[n]->chain_length = 1;
    }
    return n;
  }

 private:
  int left_;
};

struct NodeContextTest : ::testing::Test {
  void SetUp() override {
    auto made = Dataplane::create({.workers = 2, .pool = {.buffers = 4096, .hugepages = false}}, {});
    ASSERT_TRUE(made.ok());
    dataplane = std::move(*made);
    registry.node<Arrivals>(seen);
    ASSERT_TRUE(dataplane->build(registry).ok());
    context = std::make_unique<NodeContext>(loop, *dataplane, api, false);
    node = context->graph().find("arrivals");
    dataplane->start();
  }
  void TearDown() override {
    dataplane->stop();
    EXPECT_EQ(dataplane->pool().usage().used, 0u) << "buffers leaked";
  }

  asio::io_context loop;
  Api api;
  Registry registry;
  Arrivals::Seen seen;
  std::unique_ptr<Dataplane> dataplane;
  std::unique_ptr<NodeContext> context;
  NodeIndex node;
};

TEST_F(NodeContextTest, AQueueOfNoInterfaceFeedsANode) {
  Source source(5000);
  ASSERT_TRUE(context->add_rx_queue(source, {}, node, RxMode::Adaptive, 1).ok());
  wait_for([&] { return seen.of_none == 5000; });
  std::atomic<bool> gone{false};
  context->remove_rx_queue(source, [&] { gone = true; });
  wait_for([&] { return gone.load(); });
  EXPECT_EQ(seen.of_interface, 0u);
}

TEST_F(NodeContextTest, AQueueMayStandForAnInterfaceWhichCountsItsPackets) {
  Source source(300);
  const InterfaceIndex interface(3, 1);
  ASSERT_TRUE(context->add_rx_queue(source, interface, node, RxMode::Adaptive, 0).ok());
  wait_for([&] { return seen.of_interface == 300; });
  EXPECT_EQ(dataplane->workers()[0]->worker().counters(interface)[InterfaceCounter::RxPackets].get(), 300u);
  std::atomic<bool> gone{false};
  context->remove_rx_queue(source, [&] { gone = true; });
  wait_for([&] { return gone.load(); });
}

TEST_F(NodeContextTest, RefusesAWorkerThatDoesNotExist) {
  Source source(1);
  EXPECT_EQ(text(context->add_rx_queue(source, {}, node, RxMode::Adaptive, 2)), "worker 2: there are workers 0 to 1");
}

}  // namespace
}  // namespace sluice
