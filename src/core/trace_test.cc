// SPDX-License-Identifier: Apache-2.0
#include "sluice/trace.h"

#include <gtest/gtest.h>

#include "sluice/node.h"
#include "sluice/testing/test_world.h"

namespace sluice {
namespace {

using testing::Bytes;
using testing::TestWorld;

// Lets packets through; keeps those that begin with 'h' until it is asked.
struct Door {
  static constexpr NodeInfo kInfo{"door", "lets packets through"};
  enum class Next : std::uint8_t { Room };
  enum class Drop : std::uint8_t {};
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  std::vector<Packet*> kept = {};
  Verdict operator()(Packet& packet, Worker&, Trace*, Out<Door>&) noexcept {
    if (packet.data[0] != std::byte{'h'}) return Next::Room;
    kept.push_back(&packet);
    return Hold;
  }
  std::size_t held() const noexcept { return kept.size(); }
  void release(Worker&, Out<Door>& out) noexcept {
    for (Packet* packet : kept) out.emit(*packet, Next::Room);
    kept.clear();
  }
  void flush(Worker& worker) noexcept {
    worker.buffers().free(kept);
    kept.clear();
  }
};

struct Room {
  static constexpr NodeInfo kInfo{"room", "ends every packet"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Done };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test has seen it"; }
  Verdict operator()(Packet&, Worker&, Trace*) const noexcept { return Drop::Done; }
};

const PacketFilter kNothing{{{0x06, 0, 0, 0}}};

struct TraceTest : ::testing::Test {
  TestWorld world{[](Registry& registry) {
    registry.node<Door>();
    registry.node<Room>();
  }};
  const NodeIndex door = world.graph().find("door"), room = world.graph().find("room");
  const InterfaceIndex eth0 = world.add_interface(), eth1 = world.add_interface();

  /// A request for packets from where they come in.
  static std::shared_ptr<TraceRequest> request(std::uint16_t id, std::size_t packets) {
    auto made = std::make_shared<TraceRequest>();
    made->id = id;
    made->at_input = true;
    made->remaining = static_cast<std::int64_t>(packets);
    made->buffers.push_back(std::make_unique<TraceBuffer>(packets));
    return made;
  }
  void publish(const std::vector<std::shared_ptr<TraceRequest>>& requests) {
    auto state = std::make_unique<TraceState>();
    state->requests.assign(requests.begin(), requests.end());
    world.trace.publish(std::move(state));
    world.worker().begin_pass();
  }
  void arrive(char first_byte, InterfaceIndex in, NodeIndex at) {
    Packet* packet = world.make(Bytes{static_cast<std::uint8_t>(first_byte)});
    packet->rx_interface = in;
    const std::span<Packet* const> one(&packet, 1);
    if (world.worker().tracing()) world.worker().trace_start(at, one, true);
    world.worker().graph().enqueue(world.worker(), at, one);
    world.worker().graph().run(world.worker());
  }
  void release() {
    world.worker().graph().release_held(world.worker());
    world.worker().graph().run(world.worker());
  }
  /// "door room, door": the nodes that each packet of a request passed.
  std::string ways(const TraceRequest& request) {
    std::string text;
    for (std::size_t i = 0; i < request.buffers[0]->packets(); ++i) {
      const auto& slot = request.buffers[0]->slot(i);
      if (i > 0) text += ",";
      for (std::uint32_t step = 0; step < slot.steps; ++step)
        text +=
            (text.empty() || text.back() == ',' ? "" : " ") + world.graph().node(slot.step[step].node).description.name;
    }
    return text;
  }
};

TEST_F(TraceTest, FollowsPacketsFromWhereverTheyComeIn) {
  const auto any = request(1, 3);
  publish({any});
  arrive('a', eth0, door);
  arrive('b', eth1, room);
  EXPECT_EQ(ways(*any), "door room,room");
  EXPECT_EQ(any->remaining, 1);
}

TEST_F(TraceTest, TakesNoMoreThanItWasAskedFor) {
  const auto one = request(1, 1);
  publish({one});
  for (int i = 0; i < 3; ++i) arrive('a', eth0, door);
  EXPECT_EQ(ways(*one), "door room");
  EXPECT_FALSE(one->wants_more());
}

TEST_F(TraceTest, TakesWhatComesInAtItsInterfaceWhateverTheFilterSays) {
  const auto of_interface = request(1, 5);
  of_interface->ethernet = of_interface->ip = kNothing;
  of_interface->interface = eth1;
  publish({of_interface});
  arrive('a', eth0, door);
  arrive('a', eth1, door);
  EXPECT_EQ(ways(*of_interface), "door room");
}

TEST_F(TraceTest, GivesOnePacketToEveryRequestThatWantsIt) {
  const auto first = request(1, 5), second = request(2, 1), third = request(3, 5);
  third->ethernet = kNothing;
  publish({first, second, third});
  arrive('h', eth0, door);
  arrive('a', eth0, door);
  release();
  EXPECT_EQ(ways(*first), "door room,door room");
  EXPECT_EQ(ways(*second), "door room");
  EXPECT_EQ(ways(*third), "");
  EXPECT_EQ(third->remaining, 5);
}

TEST_F(TraceTest, ARequestThatComesOrGoesLeavesThePacketsOfOthersAlone) {
  const auto first = request(1, 5), second = request(2, 5), third = request(3, 5);
  publish({first, second});
  arrive('h', eth0, door);
  publish({second, third});
  release();
  EXPECT_EQ(ways(*first), "door") << "it has ended";
  EXPECT_EQ(ways(*second), "door room");
  EXPECT_EQ(ways(*third), "") << "the packet came in before it";
}

TEST_F(TraceTest, APacketThatOutlivesItsRequestIsTracedNoMore) {
  const auto first = request(1, 5), second = request(2, 5);
  publish({first});
  arrive('h', eth0, door);
  publish({});
  arrive('h', eth0, door);
  publish({second});
  release();
  EXPECT_EQ(ways(*first), "door");
  EXPECT_EQ(ways(*second), "");
}

TEST_F(TraceTest, ARequestForALaterNodeTakesWhatItsFilterMatchedAtInput) {
  const auto at_room = request(1, 5), input = request(2, 5);
  at_room->node = room;
  at_room->at_input = false;
  publish({at_room});
  arrive('a', eth0, door);
  EXPECT_EQ(ways(*at_room), "room");
  at_room->ethernet = kNothing;
  publish({at_room, input});
  arrive('a', eth0, door);
  EXPECT_EQ(ways(*at_room), "room");
  EXPECT_EQ(ways(*input), "door room");
}

TEST_F(TraceTest, SaysWhenAWayIsLongerThanATrace) {
  TraceBuffer buffer(1);
  ASSERT_EQ(buffer.start(TraceHandle::kNone), 0);
  EXPECT_EQ(buffer.start(TraceHandle::kNone), -1);
  for (std::size_t i = 0; i < TraceBuffer::kMaxSteps; ++i) buffer.add(0, {});
  EXPECT_FALSE(buffer.slot(0).cut);
  buffer.add(0, {});
  EXPECT_TRUE(buffer.slot(0).cut);
  EXPECT_EQ(buffer.slot(0).steps, TraceBuffer::kMaxSteps);
  buffer.add(7, {});  // a handle of something else
}

}  // namespace
}  // namespace sluice
