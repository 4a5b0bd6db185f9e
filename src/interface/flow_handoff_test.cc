// SPDX-License-Identifier: Apache-2.0
#include "interface/flow_handoff.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <set>

#include "interface/control_loop.h"
#include "interface/feature_manager.h"
#include "interface/interface_manager.h"
#include "interface/nowhere_node.h"
#include "interface/offload_nodes.h"
#include "sluice/testing/node_test.h"
#include "sluice/testing/packet_builder.h"
#include "sluice/testing/wait_for.h"

namespace sluice {
namespace {

using testing::Bytes;
using testing::NodeTest;
using testing::packet;
using testing::PacketBuilder;
using testing::TestWorld;
using testing::wait_for;

std::uint32_t hash_of(const Bytes& bytes) { return frame_flow_hash(bytes); }

Bytes tcp(std::string_view from, std::uint16_t from_port, std::string_view to, std::uint16_t to_port) {
  return packet().ethernet("02::1", "02::2").ip4(from, to).tcp(from_port, to_port).bytes();
}

TEST(FrameFlowHash, IsOneForBothDirectionsUnderAnyTags) {
  const auto plain = hash_of(tcp("10.0.0.1", 4000, "10.0.0.2", 80));
  EXPECT_EQ(plain, hash_of(tcp("10.0.0.2", 80, "10.0.0.1", 4000)));
  EXPECT_NE(plain, hash_of(tcp("10.0.0.1", 4001, "10.0.0.2", 80)));
  EXPECT_EQ(plain,
            hash_of(packet().ethernet("02::1", "02::2").vlan(5).ip4("10.0.0.1", "10.0.0.2").tcp(4000, 80).bytes()));
  EXPECT_EQ(plain, hash_of(packet()
                               .ethernet("02::1", "02::2")
                               .service_vlan(5)
                               .vlan(6)
                               .ip4("10.0.0.2", "10.0.0.1")
                               .tcp(80, 4000)
                               .bytes()));
  EXPECT_EQ(hash_of(packet().ethernet("02::1", "02::2").ip6("fd00::1", "fd00::2").udp(1, 2).bytes()),
            hash_of(packet().ethernet("02::2", "02::1").ip6("fd00::2", "fd00::1").udp(2, 1).bytes()));
}

TEST(FrameFlowHash, KeepsFragmentsOfAPacketTogetherAndNonIpByMac) {
  const auto fragment = [](std::uint16_t offset, bool more) {
    return packet().ethernet("02::1", "02::2").ip4("10.0.0.1", "10.0.0.2").fragment(offset, more, 7).udp(1, 2).bytes();
  };
  EXPECT_EQ(hash_of(fragment(0, true)), hash_of(fragment(64, true)));
  EXPECT_EQ(hash_of(fragment(0, true)), hash_of(fragment(128, false)));
  Bytes frame(60);
  frame[0] = frame[6] = 2;
  frame[5] = 9;
  frame[12] = 0x88;
  frame[13] = 0x64;  // PPPoE
  Bytes back = frame;
  std::swap_ranges(back.begin(), back.begin() + 6, back.begin() + 6);
  back[40] = 77;
  EXPECT_EQ(hash_of(frame), hash_of(back));
  back[11] = 8;
  EXPECT_NE(hash_of(frame), hash_of(back));
}

TEST(FrameFlowHash, SurvivesTruncatedAndHostileFrames) {
  std::mt19937 random(1);
  const Bytes whole = packet()
                          .ethernet("02::1", "02::2")
                          .service_vlan(5)
                          .vlan(6)
                          .ip6("fd00::1", "fd00::2")
                          .hop_by_hop()
                          .tcp(1, 2)
                          .bytes();
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
    cut.shrink_to_fit();
    (void)hash_of(cut);
  }
  for (int i = 0; i < 20000; ++i) {
    Bytes bytes(random() % 80);
    for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
    if (bytes.size() > 14) {
      constexpr std::array<std::uint16_t, 5> kTypes{0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806};
      const auto type = kTypes[random() % kTypes.size()];
      bytes[12] = static_cast<std::uint8_t>(type >> 8);
      bytes[13] = static_cast<std::uint8_t>(type);
    }
    (void)hash_of(bytes);
  }
  Bytes tags(60);
  for (std::size_t at = 12; at + 4 < tags.size(); at += 4) tags[at] = 0x81;
  (void)hash_of(tags);
}

TEST(FlowHandoff, GoesOnWhereThereIsOneWorkerOnly) {
  NodeTest<FlowHandoff> node;
  const auto outcomes =
      node.run({packet().ethernet("02::1", "02::2").ip4("10.0.0.1", "10.0.0.2").tcp(1, 2).bytes(), Bytes(3)});
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome, testing::verdict(FlowHandoff::Next::Continue));
  EXPECT_GT(node.events(FlowHandoff::Count::Kept), 0u);
}

// A ring holds so many and no more; what finds it full is a counted drop, and still ours.
TEST(FlowHandoff, CountsWhatFindsTheRingFull) {
  TestWorld world({}, 4096);
  Worker other(1, 3,
               WorkerShared{world.pool(), world.graph(), world.interfaces, world.features, world.tx, world.trace,
                            world.capture});
  world.worker().set_peers({&world.worker(), &other});
  const std::array<Edge, 2> edges{};
  NodeRuntime runtime;
  runtime.event_counts = std::vector<Counter>(enum_count<FlowHandoff::Count>());
  runtime.edges = edges.data();
  world.worker().set_current(&runtime);
  FlowHandoff kernel;
  std::uint16_t port = 1;
  std::size_t kept = 0, handed = 0, full = 0;
  while (full < 10) {
    Packet* packet = world.make(tcp("10.0.0.1", port++, "10.0.0.2", 80));
    std::uint16_t code = 0;
    Batch<FlowHandoff> batch{std::span<Packet* const>(&packet, 1), &code, nullptr};
    kernel(batch, world.worker());
    kept += code == static_cast<std::uint16_t>(FlowHandoff::Next::Continue);
    handed += code == kVerdictHold;
    full += code == FlowHandoff::Verdict(FlowHandoff::Drop::HandOffFull).code();
    if (code == kVerdictHold) continue;
    EXPECT_FALSE(packet->has(kHandedOver));
    world.worker().buffers().free(packet);
  }
  EXPECT_EQ(handed, Worker::kRing);
  EXPECT_EQ(kept + handed + full, std::size_t{port} - 1);
  EXPECT_NEAR(static_cast<double>(kept), static_cast<double>(handed), 200) << "flows are spread evenly";
  EXPECT_EQ(world.worker().lost_handoffs.get(), 10u);
  EXPECT_EQ(world.worker().sent_handoffs.get(), Worker::kRing);
  EXPECT_EQ(runtime.event_counts[static_cast<std::size_t>(FlowHandoff::Count::HandedOver)].get(), Worker::kRing);
  other.begin_pass();
  HandOff item{};
  while (other.ring_from(0).pop(item)) {
    EXPECT_TRUE(item.packet->has(kHandedOver));
    world.worker().buffers().free(item.packet);
  }
}

/// Frames that arrive on one queue, all of them.
class FrameQueue final : public RxQueue {
 public:
  struct Wire {
    std::vector<Bytes> frames;
    std::atomic<std::size_t> made{0};  ///< of frames
    std::size_t given = 0;
    int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ~Wire() { close(event); }
  };
  explicit FrameQueue(Wire& wire) : wire_(wire) {}
  std::size_t receive(Worker& worker, std::span<Packet*> packets) noexcept override {
    std::uint64_t events = 0;
    (void)!read(wire_.event, &events, sizeof events);
    std::size_t n = 0;
    for (; n < packets.size() && wire_.given < wire_.made.load(); ++n) {
      packets[n] = worker.buffers().alloc();
      const Bytes& frame = wire_.frames[wire_.given++];
      std::memcpy(packets[n]->data, frame.data(), frame.size());
      packets[n]->trim(frame.size());
    }
    return n;
  }
  int fd() const override { return wire_.event; }

 private:
  Wire& wire_;
};

class FrameDevice final : public Device {
 public:
  explicit FrameDevice(std::vector<FrameQueue::Wire>& wires) : wires_(wires) {
    info_.rx_queues = static_cast<std::uint16_t>(wires.size());
    info_.tx_queues = 0;
  }
  std::string_view driver() const override { return "loop"; }
  const DeviceInfo& info() const override { return info_; }
  StatusOr<std::vector<std::unique_ptr<RxQueue>>> open_rx() override {
    std::vector<std::unique_ptr<RxQueue>> queues;
    for (auto& wire : wires_) queues.push_back(std::make_unique<FrameQueue>(wire));
    return queues;
  }
  StatusOr<std::vector<std::unique_ptr<TxQueue>>> open_tx() override { return std::vector<std::unique_ptr<TxQueue>>(); }

 private:
  std::vector<FrameQueue::Wire>& wires_;
  DeviceInfo info_;
};

/// The last eight bytes of a frame say whose it is: flow, direction, and which one of those.
struct Tag {
  std::uint16_t flow;
  std::uint16_t direction;
  std::uint32_t number;
};

struct EthernetInput {
  struct Seen {
    std::mutex mutex;
    std::map<std::uint16_t, std::set<unsigned>> workers;                    // of each flow
    std::map<std::pair<std::uint16_t, std::uint16_t>, std::uint32_t> next;  // of each flow and direction
    std::size_t out_of_order = 0, stale = 0;
    std::atomic<std::size_t> packets{0};
  };
  static constexpr NodeInfo kInfo{"ethernet-input", "looks who gets what"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Seen };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test has seen it"; }
  Seen& seen;
  Verdict operator()(Packet& packet, Worker& worker, Trace*) const noexcept {
    Tag tag;
    std::memcpy(&tag, packet.data + packet.length - sizeof tag, sizeof tag);
    const std::lock_guard lock(seen.mutex);
    seen.workers[tag.flow].insert(worker.index());
    auto& next = seen.next[{tag.flow, tag.direction}];
    seen.out_of_order += tag.number < next;
    next = tag.number + 1;
    seen.stale +=
        !worker.interface(packet.rx_interface) || packet.l2_offset != packet.offset() || packet.has(kHandedOver);
    ++seen.packets;
    return Drop::Seen;
  }
};

struct FlowHandoffWorkers : ::testing::TestWithParam<unsigned> {
  void SetUp() override {
    auto made = Dataplane::create({.workers = GetParam(), .pool = {.buffers = 1u << 15, .hugepages = false}},
                                  [this](Rcu::Function f) { loop.post(std::move(f)); });
    ASSERT_TRUE(made.ok());
    dataplane = std::move(*made);
    registry.driver("loop");
    register_flow_handoff(registry);
    registry.node<EthernetInput>(seen);
    registry.node<test::Nowhere<'4'>>();
    registry.node<test::Nowhere<'6'>>();
    ASSERT_TRUE(dataplane->build(registry).ok());
    interfaces = std::make_unique<InterfaceManager>(*dataplane);
    features = std::make_unique<FeatureManager>(*dataplane, *interfaces);
  }
  void TearDown() override {
    // The features listen to what becomes of interfaces.
    for (const InterfaceEntry* entry : interfaces->list()) EXPECT_TRUE(interfaces->remove(entry->index, {}).ok());
    features.reset();
    interfaces.reset();
    dataplane->rcu().drain();
    loop.run();
    dataplane->stop();
    EXPECT_EQ(dataplane->pool().usage().used, 0u) << "buffers leaked";
  }

  /// Both directions of many flows, mixed at random; whole packets, fragments and frames that are no IP.
  void make_frames(std::size_t count) {
    std::mt19937 random(GetParam());
    std::map<std::pair<std::uint16_t, std::uint16_t>, std::uint32_t> numbers;
    for (std::size_t i = 0; i < count; ++i) {
      Tag tag{static_cast<std::uint16_t>(random() % 200), static_cast<std::uint16_t>(random() % 2), 0};
      tag.number = numbers[{tag.flow, tag.direction}]++;
      std::string from = "10.0.0.1", to = "10.0." + std::to_string(tag.flow) + ".2";
      std::string from6 = "fd00::1", to6 = "fd00::" + std::to_string(tag.flow) + ":2";
      std::uint16_t from_port = 4000, to_port = 80;
      if (tag.direction) {
        std::swap(from, to);
        std::swap(from6, to6);
        std::swap(from_port, to_port);
      }
      PacketBuilder b = packet();
      b.ethernet(tag.direction ? "02::1" : "02::2", tag.direction ? "02::2" : "02::1");
      Bytes frame;
      switch (tag.flow % 4) {
        case 0: frame = b.ip4(from, to).tcp(from_port, to_port).payload_size(8).bytes(); break;
        case 1: frame = b.vlan(5).ip6(from6, to6).udp(from_port, to_port).payload_size(8).bytes(); break;
        case 2: {
          const bool first = tag.number % 2 == 0;
          frame = b.ip4(from, to).fragment(first ? 0 : 8, first, tag.number / 2).udp(1, 2).payload_size(8).bytes();
          break;
        }
        default:
          frame.assign(60, 0);
          frame[tag.direction ? 0 : 6] = 2;
          frame[tag.direction ? 4 : 10] = static_cast<std::uint8_t>(tag.flow);
          frame[12] = 0x88;
          frame[13] = 0x64;
      }
      std::memcpy(frame.data() + frame.size() - sizeof tag, &tag, sizeof tag);
      // A flow's direction comes by one queue, as a device without a symmetric hash would bring it; its answers by
      // another.
      wires[(tag.flow + tag.direction) % wires.size()].frames.push_back(std::move(frame));
    }
  }

  test::ControlLoop loop;
  EthernetInput::Seen seen;
  std::vector<FrameQueue::Wire> wires{2};
  Registry registry;
  std::unique_ptr<Dataplane> dataplane;
  std::unique_ptr<InterfaceManager> interfaces;
  std::unique_ptr<FeatureManager> features;
};

TEST_P(FlowHandoffWorkers, EveryFlowHasOneWorkerForBothDirectionsAndKeepsItsOrder) {
  make_frames(40000);
  const auto index = interfaces->create("in", std::make_unique<FrameDevice>(wires));
  ASSERT_TRUE(index.ok());
  ASSERT_TRUE(interfaces->set_state(*index, true).ok());
  ASSERT_TRUE(*features->enable(*index, "flow-handoff"));
  dataplane->start();
  dataplane->rcu().drain();
  std::size_t made = 0;
  const std::uint64_t one = 1;
  for (bool left = true; left;) {
    left = false;
    for (auto& wire : wires) {
      const std::size_t n = std::min<std::size_t>(200, wire.frames.size() - wire.made);
      left |= n > 0;
      made += n;
      wire.made += n;
      (void)!write(wire.event, &one, sizeof one);
    }
    // Never so many on their way that a ring could be full: this test is about where they go.
    wait_for([&] { return made - seen.packets < 600; });
  }
  wait_for([&] { return seen.packets == made; });
  ASSERT_EQ(seen.packets, made);
  std::map<unsigned, std::size_t> flows;
  for (const auto& [flow, workers] : seen.workers) {
    EXPECT_EQ(workers.size(), 1u) << "flow " << flow;
    ++flows[*workers.begin()];
  }
  EXPECT_EQ(seen.workers.size(), 200u);
  EXPECT_EQ(flows.size(), GetParam()) << "every worker has some";
  EXPECT_EQ(seen.out_of_order, 0u);
  EXPECT_EQ(seen.stale, 0u);
  std::uint64_t sent = 0, taken = 0;
  for (auto& thread : dataplane->workers()) {
    sent += thread->worker().sent_handoffs.get();
    taken += thread->worker().taken_handoffs.get();
  }
  EXPECT_GT(sent, made / 4);
  EXPECT_EQ(sent, taken);
}

INSTANTIATE_TEST_SUITE_P(Workers, FlowHandoffWorkers, ::testing::Values(2u, 3u));

}  // namespace
}  // namespace sluice
