// SPDX-License-Identifier: Apache-2.0
#include "sluice/capture.h"

#include <gtest/gtest.h>
#include <pcap/pcap.h>

#include <thread>

#include "sluice/net/ethernet.h"
#include "sluice/node.h"
#include "sluice/testing/packet_builder.h"
#include "sluice/testing/test_world.h"

namespace sluice {
namespace {

using testing::Bytes;
using testing::packet;
using testing::TestWorld;

constexpr std::size_t kSmall = 4096;

Bytes bytes_of(std::span<const std::byte> bytes) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return {at, at + bytes.size()};
}

// Looks behind the Ethernet header, and drops.
struct Refuser {
  static constexpr NodeInfo kInfo{"test-refuser", "drops packets behind their Ethernet header"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Never, NotWanted };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test wants it so"; }
  Verdict operator()(Packet& packet, Worker&, Trace*) const noexcept {
    packet.l2_offset = packet.offset();
    packet.pull(sizeof(EthernetHeader));
    packet.l3_offset = packet.offset();
    return Drop::NotWanted;
  }
};

class RingTest : public ::testing::Test {
 protected:
  bool add(CaptureRing& ring, std::uint64_t when, std::size_t size) {
    Packet* packet = world.make(Bytes(size, static_cast<std::uint8_t>(when)), 100);
    const std::uint64_t lost = ring.mark().lost;
    CaptureRecord record;
    record.when = when;
    record.length = record.kept = static_cast<std::uint32_t>(size);
    ring.add(record, packet->data, *packet);
    world.worker().buffers().free(packet);
    return ring.mark().lost == lost;
  }
  /// The oldest record is this one.
  static void expect(CaptureRing& ring, std::uint64_t when, std::size_t size) {
    const auto entry = ring.front();
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->record.when, when);
    EXPECT_EQ(bytes_of(entry->bytes), Bytes(size, static_cast<std::uint8_t>(when)));
    ring.pop();
  }
  TestWorld world;
};

TEST_F(RingTest, GivesBackWhatWasAddedOverManyRounds) {
  CaptureRing ring(kSmall);
  for (std::uint64_t i = 0; i < 500; ++i) {
    const std::size_t size = i * 37 % 700;
    ASSERT_TRUE(add(ring, 2 * i, size));
    ASSERT_TRUE(add(ring, 2 * i + 1, size / 2));
    EXPECT_FALSE(ring.front()) << "not committed";
    ring.commit();
    expect(ring, 2 * i, size);
    expect(ring, 2 * i + 1, size / 2);
    EXPECT_FALSE(ring.front());
  }
  EXPECT_EQ(ring.lost(), 0u);
}

TEST_F(RingTest, CountsWhatFindsItFullAndGoesOnWhenThereIsRoom) {
  CaptureRing ring(kSmall);
  std::uint64_t kept = 0;
  while (add(ring, kept, 480)) ++kept;
  EXPECT_EQ(kept, kSmall / (480 + sizeof(CaptureRecord)));
  EXPECT_FALSE(add(ring, 100, 480));
  ring.commit();
  EXPECT_EQ(ring.lost(), 2u);
  expect(ring, 0, 480);
  EXPECT_TRUE(add(ring, 101, 480));
  ring.commit();
  for (std::uint64_t i = 1; i < kept; ++i) expect(ring, i, 480);
  expect(ring, 101, 480);
  EXPECT_EQ(ring.lost(), 2u);
}

TEST_F(RingTest, TakesBackWhatIsNotWantedAfterAll) {
  CaptureRing ring(kSmall);
  add(ring, 1, 100);
  const auto mark = ring.mark();
  add(ring, 2, 3000);
  add(ring, 3, 3000);
  ring.rewind(mark);
  ring.commit();
  add(ring, 4, 200);
  ring.commit();
  expect(ring, 1, 100);
  expect(ring, 4, 200);
  EXPECT_FALSE(ring.front());
  EXPECT_EQ(ring.lost(), 0u) << "the third had no room, but was taken back";
}

TEST_F(RingTest, AReaderBesideTheWorkerSeesWholeRecordsInOrder) {
  CaptureRing ring(kSmall);
  constexpr std::uint64_t kCount = 20000;
  std::thread worker([&] {
    for (std::uint64_t i = 1; i <= kCount; ++i) {
      add(ring, i, i % 300);
      ring.commit();
    }
  });
  std::uint64_t seen = 0, last = 0;
  while (seen + ring.lost() < kCount) {
    const auto entry = ring.front();
    if (!entry) continue;
    EXPECT_GT(entry->record.when, last);
    last = entry->record.when;
    EXPECT_EQ(bytes_of(entry->bytes), Bytes(last % 300, static_cast<std::uint8_t>(last)));
    ring.pop();
    ++seen;
  }
  worker.join();
  EXPECT_GT(seen, 0u);
}

class CaptureTest : public ::testing::Test {
 protected:
  struct Got {
    CaptureRecord record;
    Bytes bytes;
  };
  void capture(const std::function<void(CaptureState&)>& change = {}) {
    auto state = std::make_unique<CaptureState>();
    state->received = state->sent = state->dropped = true;
    state->snap = 100'000;
    state->rings = {ring};
    if (change) change(*state);
    world.capture.publish(std::move(state));
    world.worker().begin_pass();
  }
  Packet* make(const Bytes& bytes, InterfaceIndex rx, InterfaceIndex tx = {}) {
    Packet* made = world.make(bytes, 50);
    made->rx_interface = rx;
    made->tx_interface = tx;
    return made;
  }
  void receive(const Bytes& bytes, InterfaceIndex rx) {
    Packet* made = make(bytes, rx);
    if (world.worker().capturing()) world.worker().capture_received(NodeIndex{0}, std::span(&made, 1));
    world.worker().buffers().free(made);
  }
  void drop(const Bytes& bytes, InterfaceIndex rx, InterfaceIndex tx = {}) {
    Packet* made = world.make(bytes);
    made->rx_interface = rx;
    made->tx_interface = tx;
    world.worker().graph().enqueue(world.worker(), NodeIndex{0}, std::span(&made, 1));
    world.worker().graph().run(world.worker());
  }
  std::vector<Got> take() const {
    std::vector<Got> all;
    for (auto entry = ring->front(); entry; entry = ring->front()) {
      all.push_back({entry->record, bytes_of(entry->bytes)});
      ring->pop();
    }
    return all;
  }

  TestWorld world{[](Registry& registry) { registry.node<Refuser>(); }};
  const std::shared_ptr<CaptureRing> ring = std::make_shared<CaptureRing>(1u << 16);
  const Bytes frame = packet()
                          .ethernet("02::1", "02::2")
                          .ip4("10.0.0.1", "10.0.0.2")
                          .udp(4000, 53)
                          .payload(std::string(200, 'x'))
                          .bytes();
  const InterfaceIndex ethernet = world.add_interface();
  const InterfaceIndex tun = world.add_interface([](InterfaceState& s) { s.link = LinkLayer::Ip; });
};

TEST_F(CaptureTest, KeepsTheFirstBytesOfAReceivedChain) {
  receive(frame, ethernet);
  capture([](CaptureState& state) { state.snap = 120; });
  receive(frame, ethernet);
  receive(Bytes(frame.begin() + 14, frame.end()), tun);
  receive(frame, InterfaceIndex{}) /* of a packet generator */;
  const auto got = take();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].bytes, Bytes(frame.begin(), frame.begin() + 120));
  EXPECT_EQ(got[0].record.length, frame.size());
  EXPECT_EQ(got[0].record.event, CaptureEvent::Received);
  EXPECT_EQ(got[0].record.interface, ethernet);
  EXPECT_EQ(got[0].record.link, LinkLayer::Ethernet);
  EXPECT_FALSE(got[0].record.outbound);
  EXPECT_EQ(got[1].bytes, Bytes(frame.begin() + 14, frame.begin() + 134));
  EXPECT_EQ(got[1].record.link, LinkLayer::Ip);
}

TEST_F(CaptureTest, ADroppedPacketHasItsLinkLayerHeaderAndItsReason) {
  capture();
  drop(frame, ethernet);
  const auto got = take();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].bytes, frame);
  EXPECT_EQ(got[0].record.length, frame.size());
  EXPECT_EQ(got[0].record.event, CaptureEvent::Dropped);
  EXPECT_EQ(got[0].record.node, NodeIndex{0});
  EXPECT_EQ(got[0].record.reason, static_cast<std::uint16_t>(Refuser::Drop::NotWanted));
  EXPECT_EQ(got[0].record.interface, ethernet);
}

TEST_F(CaptureTest, APacketDroppedOnItsWayOutIsOfTheOutput) {
  capture();
  Packet* made = make(frame, tun, ethernet);
  made->l2_offset = made->offset();
  made->l3_offset = static_cast<std::uint16_t>(made->offset() + sizeof(EthernetHeader));
  world.worker().capture_dropped(NodeIndex{0}, 0, *made);
  world.worker().buffers().free(made);
  const auto got = take();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].bytes, frame);
  EXPECT_EQ(got[0].record.interface, ethernet);
  EXPECT_TRUE(got[0].record.outbound);
}

TEST_F(CaptureTest, OfWhatTheNodeMadeThereIsNoInterface) {
  capture();
  const Bytes ip(frame.begin() + 14, frame.end());
  Packet* made = make(ip, {});
  made->l3_offset = made->offset();
  world.worker().capture_dropped(NodeIndex{0}, 0, *made);
  world.worker().buffers().free(made);
  const auto got = take();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].bytes, ip);
  EXPECT_FALSE(got[0].record.interface.valid());
  EXPECT_EQ(got[0].record.link, LinkLayer::Ip);
}

TEST_F(CaptureTest, TakesOnlyWhatIsAskedFor) {
  capture([&](CaptureState& state) {
    state.every_interface = false;
    state.choose(tun);
  });
  receive(frame, ethernet);
  drop(frame, ethernet);
  EXPECT_TRUE(take().empty());
  drop(frame, ethernet, tun);
  EXPECT_EQ(take().size(), 1u) << "it was to go there";
  capture([](CaptureState& state) { state.received = state.dropped = false; });
  receive(frame, ethernet);
  drop(frame, ethernet);
  EXPECT_TRUE(take().empty());
}

TEST_F(CaptureTest, AFilterSeesADroppedPacketFromItsLinkLayerOn) {
  pcap_t* handle = pcap_open_dead(DLT_EN10MB, 65535);
  bpf_program program{};
  ASSERT_EQ(pcap_compile(handle, &program, "udp port 53 and less 300", 1, PCAP_NETMASK_UNKNOWN), 0);
  PacketFilter filter;
  for (unsigned i = 0; i < program.bf_len; ++i) {
    const bpf_insn& in = program.bf_insns[i];
    filter.code.push_back({in.code, in.jt, in.jf, in.k});
  }
  pcap_freecode(&program);
  pcap_close(handle);
  capture([&](CaptureState& state) { state.ethernet = filter; });
  drop(frame, ethernet);
  drop(packet().ethernet("02::1", "02::2").ip4("10.0.0.1", "10.0.0.2").udp(4000, 54).bytes(), ethernet);
  drop(
      packet().ethernet("02::1", "02::2").ip4("10.0.0.1", "10.0.0.2").udp(1, 53).payload(std::string(400, 'x')).bytes(),
      ethernet);
  const auto got = take();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].bytes, frame);
}

// Takes so many packets of each run and overwrites their bytes.
struct Queue final : TxQueue {
  std::size_t most = 0;
  std::size_t transmit(Worker& worker, std::span<Packet* const> packets) noexcept override {
    const std::size_t taken = std::min(most, packets.size());
    for (std::size_t i = 0; i < taken; ++i) std::memset(packets[i]->data, 0, packets[i]->length);
    worker.buffers().free(packets.first(taken));
    return taken;
  }
};

TEST_F(CaptureTest, OfARunOnlyWhatTheDeviceTookWasSent) {
  Queue queue;
  queue.most = 2;
  Worker& worker = world.worker();
  worker.set_current(&worker.graph().node(NodeIndex{0}));
  capture();
  std::vector<Packet*> packets;
  for (std::uint8_t i = 0; i < 3; ++i) packets.push_back(make(Bytes(100, i), tun, ethernet));
  EXPECT_EQ(worker.transmit_captured(queue, packets), 2u);
  worker.buffers().free(packets[2]);
  const auto got = take();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].bytes, Bytes(100, 0));
  EXPECT_EQ(got[1].bytes, Bytes(100, 1));
  EXPECT_EQ(got[1].record.event, CaptureEvent::Sent);
  EXPECT_EQ(got[1].record.interface, ethernet);
  EXPECT_TRUE(got[1].record.outbound);
}

}  // namespace
}  // namespace sluice
