// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "core/dataplane.h"
#include "sluice/testing/node_test.h"

namespace sluice {
namespace {

using testing::Bytes;
using testing::NodeTest;
using testing::TestWorld;
using testing::verdict;

// By the first byte: 0 drops, odd goes to Odd, even to Even.
struct Sorter {
  static constexpr NodeInfo kInfo{"sorter", "sorts packets by their first byte"};
  enum class Next : std::uint8_t { Odd, Even };
  enum class Drop : std::uint8_t { Zero };
  enum class Count : std::uint8_t { Seen };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    std::uint8_t value;
    void describe(auto&& field) const { field("value", value); }
  };
  static constexpr std::string_view why(Drop) { return "the first byte is zero"; }
  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    const auto value = std::to_integer<std::uint8_t>(packet.data[0]);
    worker.count(Count::Seen);
    if (trace) *trace = {value};
    if (value == 0) return Drop::Zero;
    return value % 2 ? Next::Odd : Next::Even;
  }
};

struct Seen {
  std::vector<Bytes> packets;
};

template <char Which>
struct Sink {
  static constexpr NodeInfo kInfo{Which == 'o' ? "odd" : "even", "remembers packets"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Done };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test has seen it"; }
  Seen& seen;
  Verdict operator()(Packet& packet, Worker&, Trace*) const noexcept {
    seen.packets.push_back(TestWorld::bytes_of(packet));
    return Drop::Done;
  }
};

template <char Name>
struct Marker {
  static constexpr char kName[] = {'m', 'a', 'r', 'k', '-', Name, 0};
  static constexpr NodeInfo kInfo{kName, "appends its letter"};
  static constexpr FeatureInfo kFeature{.arc = "even-arc", .before = Name == 'z' ? "mark-a" : ""};
  enum class Next : std::uint8_t { Continue };
  enum class Drop : std::uint8_t {};
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  Verdict operator()(Packet& packet, Worker&, Trace*) const noexcept {
    packet.data[packet.length++] = std::byte{Name};
    ++packet.chain_length;
    return Next::Continue;
  }
};

TEST(NodeTest, RequiresTheSameFateWhateverTheNeighbours) {
  NodeTest<Sorter> node;
  const auto out = node.run(std::vector<Bytes>{{0}, {1}, {2}});
  EXPECT_EQ(out[0], verdict(Sorter::Drop::Zero));
  EXPECT_EQ(out[1], verdict(Sorter::Next::Odd));
  EXPECT_EQ(out[2], verdict(Sorter::Next::Even));
  EXPECT_GT(node.events(Sorter::Count::Seen), 3u);
}

// Looks at its neighbours only where it is not the worker's current node: in a chain.
struct Fickle {
  static constexpr NodeInfo kInfo{"fickle", "is another one in a chain"};
  enum class Next : std::uint8_t { Odd, Even };
  enum class Drop : std::uint8_t { Zero };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  struct Key {
    std::uint8_t value;
  };
  static constexpr std::string_view why(Drop) { return "the first byte is zero"; }
  std::uint8_t last = 0;
  Key prepare(Packet& packet, Worker&) noexcept { return {last = std::to_integer<std::uint8_t>(packet.data[0])}; }
  Verdict finish(Packet&, Key& key, Worker& worker, Trace*) const noexcept {
    const std::uint8_t value = worker.current()->edge_count ? last : key.value;
    if (value == 0) return Drop::Zero;
    return value % 2 ? Next::Odd : Next::Even;
  }
};

TEST(NodeTest, RequiresTheSameFateInAChain) {
  static_assert(testing::Fusible<Fickle> && !testing::Fusible<Sorter>, "what counts events is not fused");
  ::testing::TestPartResultArray failures;
  {
    const ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
    NodeTest<Fickle> node;
    node.run(std::vector<Bytes>{{0}, {1}, {2}});
  }
  ASSERT_GT(failures.size(), 0);
  for (int i = 0; i < failures.size(); ++i)
    EXPECT_NE(std::string(failures.GetTestPartResult(i).message()).find("of a fused vector of"), std::string::npos);
}

struct GraphFixture : ::testing::Test {
  Seen odd, even;
  std::function<void(Registry&)> fill = [this](Registry& registry) {
    registry.node<Sorter>();
    registry.node<Sink<'o'>>(odd);
    registry.node<Sink<'e'>>(even);
    registry.arc({.name = "even-arc", .start_node = "sorter", .start_next = {"even"}});
    registry.feature<Marker<'a'>>();
    registry.feature<Marker<'b'>>();
    registry.feature<Marker<'z'>>();
  };
  static void push(TestWorld& world, std::initializer_list<std::uint8_t> first_bytes, InterfaceIndex in) {
    for (const std::uint8_t b : first_bytes) {
      Packet* packet = world.make(Bytes{b});
      packet->rx_interface = in;
      world.worker().graph().enqueue(world.worker(), world.graph().find("sorter"),
                                     std::span<Packet* const>(&packet, 1));
    }
    world.worker().begin_pass();
    world.worker().graph().run(world.worker());
  }
};

TEST_F(GraphFixture, PartitionsByVerdictKeepsOrderAndCountsEachReason) {
  TestWorld world(fill);
  const auto in = world.add_interface();
  push(world, {1, 2, 0, 3, 4, 6, 0}, in);
  EXPECT_EQ(odd.packets, (std::vector<Bytes>{{1}, {3}}));
  EXPECT_EQ(even.packets, (std::vector<Bytes>{{2}, {4}, {6}}));
  const NodeRuntime& sorter = world.worker().graph().node(world.graph().find("sorter"));
  EXPECT_EQ(sorter.packets.get(), 7u);
  EXPECT_EQ(sorter.drop_packets[0].get(), 2u);
  EXPECT_EQ(sorter.next_packets[0].get(), 2u);
  EXPECT_EQ(world.worker().counters(in.slot())[InterfaceCounter::Drops].get(), 7u);
}

TEST_F(GraphFixture, SendsPacketsThroughTheFeaturesOfTheirInterfaceOnly) {
  TestWorld world(fill);
  const auto plain = world.add_interface();
  const auto marked = world.add_interface();
  const auto& arc = world.graph().arcs()[0];
  ASSERT_EQ(arc.features.size(), 3u);
  world.features.update([&](FeatureChains& f) {
    f.start[0].resize(marked.slot() + 1);
    f.start[0][marked.slot()] = static_cast<std::uint16_t>(f.nodes.size());
    for (const NodeIndex n : arc.features) f.nodes.push_back(static_cast<std::uint16_t>(n.value));
    f.nodes.push_back(FeatureChains::kEnd);
  });
  world.worker().begin_pass();
  push(world, {2}, plain);
  push(world, {2}, marked);
  EXPECT_EQ(even.packets, (std::vector<Bytes>{{2}, {2, 'b', 'z', 'a'}}));
}

TEST_F(GraphFixture, LosesAPacketThatGoesOnFromAFeatureWithoutBeingOnAChain) {
  TestWorld world(fill);
  Packet* packet = world.make(Bytes{2});
  packet->rx_interface = world.add_interface();
  GraphRuntime& graph = world.worker().graph();
  graph.enqueue(world.worker(), world.graph().find("mark-a"), std::span<Packet* const>(&packet, 1));
  world.worker().begin_pass();
  graph.run(world.worker());
  EXPECT_EQ(graph.overrun.get(), 1u);
  EXPECT_TRUE(odd.packets.empty() && even.packets.empty());
}

TEST_F(GraphFixture, RefusesACircleOfFeaturesAndUnknownNodes) {
  Registry registry;
  registry.node<Sorter>();
  const auto graph = Graph::build(registry);
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(text(graph.status()), "node sorter: next node odd does not exist; load the plugin that adds it");
}

// A second start of the arc of the fixture.
struct Shortcut {
  static constexpr NodeInfo kInfo{"shortcut", "everything is even"};
  enum class Next : std::uint8_t { Even };
  enum class Drop : std::uint8_t {};
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  Verdict operator()(Packet&, Worker&, Trace*) const noexcept { return Next::Even; }
};

TEST_F(GraphFixture, AnArcMayHangOnTheEdgesOfSeveralNodes) {
  TestWorld world([this](Registry& registry) {
    fill(registry);
    registry.node<Shortcut>();
    registry.arc({.name = "even-arc", .start_node = "shortcut", .start_next = {"even"}});
  });
  const auto in = world.add_interface();
  ASSERT_EQ(world.graph().arcs().size(), 1u);
  const auto& arc = world.graph().arcs()[0];
  EXPECT_EQ(arc.start_nodes, (std::vector<std::string>{"sorter", "shortcut"}));
  EXPECT_EQ(arc.start_next, std::vector<std::string>{"even"});
  ASSERT_EQ(arc.features.size(), 3u);
  world.features.update([&](FeatureChains& f) {
    f.start[0].resize(in.slot() + 1);
    f.start[0][in.slot()] = static_cast<std::uint16_t>(f.nodes.size());
    f.nodes.push_back(static_cast<std::uint16_t>(arc.features[0].value));
    f.nodes.push_back(FeatureChains::kEnd);
  });
  push(world, {2}, in);
  Packet* packet = world.make(Bytes{7});
  packet->rx_interface = in;
  world.worker().graph().enqueue(world.worker(), world.graph().find("shortcut"), std::span<Packet* const>(&packet, 1));
  world.worker().graph().run(world.worker());
  EXPECT_EQ(even.packets, (std::vector<Bytes>{{2, 'b'}, {7, 'b'}}));
}

TEST_F(GraphFixture, RefusesAnArcOfTwoSelectors) {
  Registry registry;
  fill(registry);
  registry.arc({.name = "even-arc", .selector = ArcSelector::TxInterface, .start_node = "sorter"});
  const auto graph = Graph::build(registry);
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(text(graph.status()), "arc even-arc: declared with both selectors");
}

TEST_F(GraphFixture, TracesEveryStepWithItsVerdict) {
  TestWorld world(fill);
  const auto in = world.add_interface();
  auto request = std::make_shared<TraceRequest>();
  request->node = world.graph().find("sorter");
  request->remaining = 2;
  request->buffers.push_back(std::make_unique<TraceBuffer>(2));
  const TraceBuffer& buffer = *request->buffers[0];
  world.trace.update([&](TraceState& t) { t.requests = {request}; });
  world.worker().begin_pass();
  Packet* packets[] = {world.make(Bytes{7}), world.make(Bytes{0}), world.make(Bytes{1})};
  for (Packet* p : packets) {
    p->rx_interface = in;
    p->flags |= kTraceCandidate;
  }
  world.worker().graph().enqueue(world.worker(), request->node, packets);
  world.worker().graph().run(world.worker());
  ASSERT_EQ(buffer.packets(), 2u);
  EXPECT_EQ(buffer.slot(0).steps.load(), 2u);
  EXPECT_EQ(world.graph().verdict(request->node, buffer.slot(0).step[0].code), "odd");
  EXPECT_EQ(buffer.slot(1).steps.load(), 1u);
  EXPECT_EQ(world.graph().verdict(request->node, buffer.slot(1).step[0].code), "drop zero");
}

TEST_F(GraphFixture, MoreThanAVectorReachesEveryNode) {
  TestWorld world(fill);
  const auto in = world.add_interface();
  std::vector<Packet*> packets;
  for (int i = 0; i < 1000; ++i) {
    packets.push_back(world.make(Bytes{static_cast<std::uint8_t>(i % 3)}));
    packets.back()->rx_interface = in;
  }
  world.worker().graph().enqueue(world.worker(), world.graph().find("sorter"), packets);
  world.worker().graph().run(world.worker());
  EXPECT_EQ(odd.packets.size(), 333u);
  EXPECT_EQ(even.packets.size(), 333u);
  EXPECT_EQ(world.worker().graph().overrun.get(), 0u);
}

}  // namespace
}  // namespace sluice
