// SPDX-License-Identifier: Apache-2.0
// Real ports of DPDK in this process: net_ring gives back what it is given, net_null gives without end.
#include "device.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sluice/testing/test_world.h>
#include <unistd.h>

#include <sluice/clock.h>
#include "queue.h"

extern "C" void sluice_dpdk_open(const sluice::dpdk::Node& node, const sluice::dpdk::Options& options,
                                 sluice::StatusOr<std::unique_ptr<sluice::dpdk::DpdkDevice>>& opened);

namespace sluice::dpdk {
namespace {

using testing::Bytes;
using testing::TestWorld;

class DeviceTest : public ::testing::Test {
 protected:
  struct Made {
    std::unique_ptr<DpdkDevice> device;
    std::vector<std::unique_ptr<RxQueue>> rx;
    std::vector<std::unique_ptr<TxQueue>> tx;
  };
  StatusOr<std::unique_ptr<DpdkDevice>> open(const Options& options, unsigned workers = 1) {
    StatusOr<std::unique_ptr<DpdkDevice>> opened;
    sluice_dpdk_open({world.pool(), workers, ""}, options, opened);
    return opened;
  }
  Made make(const Options& options) {
    auto opened = open(options);
    EXPECT_TRUE(opened.ok()) << text(opened.status());
    Made made{std::move(*opened), {}, {}};
    made.rx = std::move(*made.device->open_rx());
    made.tx = std::move(*made.device->open_tx());
    return made;
  }
  std::vector<Packet*> receive(RxQueue& queue) {
    std::array<Packet*, kVectorMax> packets;
    const std::size_t n = queue.receive(world.worker(), packets);
    return {packets.begin(), packets.begin() + static_cast<std::ptrdiff_t>(n)};
  }
  std::size_t send(TxQueue& queue, std::vector<Packet*> packets) { return queue.transmit(world.worker(), packets); }
  static Bytes numbered(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + size);
    return bytes;
  }
  TestWorld world{{}, 8192};
};

TEST_F(DeviceTest, ARingGivesBackTheVerySameBuffersByteForByte) {
  const Made ring = make({.vdev = "net_ring0"});
  std::vector<Packet*> sent;
  for (const std::size_t size : {14u, 60u, 1514u, 2048u, 2049u, 9000u}) sent.push_back(world.make(numbered(size)));
  sent[0]->flags |= kChecksumValid | kLocal;
  sent[0]->session = 7;
  ASSERT_EQ(send(*ring.tx[0], sent), sent.size());
  const auto got = receive(*ring.rx[0]);
  ASSERT_EQ(got, sent) << "no copy";
  for (Packet* packet : got) {
    EXPECT_EQ(TestWorld::bytes_of(*packet), numbered(packet->chain_length));
    EXPECT_EQ(packet->flags, 0u) << "what the sender knew of it does not come along";
    EXPECT_EQ(packet->session, 0u);
  }
  world.worker().buffers().free(got);
}

TEST_F(DeviceTest, WhatAFullRingDoesNotTakeIsTheCallers) {
  const Made ring = make({.vdev = "net_ring0"});
  std::size_t taken = 0;
  for (int i = 0; i < 10; ++i) {
    std::vector<Packet*> packets;
    for (int j = 0; j < 150; ++j) packets.push_back(world.make(Bytes(2100)));
    const std::size_t n = send(*ring.tx[0], packets);
    taken += n;
    for (std::size_t left = n; left < packets.size(); ++left) {
      EXPECT_EQ(mbuf_of(packets[left])->next, nullptr);
      EXPECT_EQ(packets[left]->chain_length, 2100u);
      world.worker().buffers().free(packets[left]);
    }
    if (n < packets.size()) break;
  }
  EXPECT_LT(taken, 1500u);
  for (auto got = receive(*ring.rx[0]); !got.empty(); got = receive(*ring.rx[0])) {
    taken -= got.size();
    world.worker().buffers().free(got);
  }
  EXPECT_EQ(taken, 0u);
}

TEST_F(DeviceTest, PacketsThatADeviceStillHoldsAreFreedWithIt) {
  for (int i = 0; i < 3; ++i) {
    const Made ring = make({.vdev = "net_ring0"});
    ASSERT_EQ(send(*ring.tx[0], {world.make(Bytes(60)), world.make(Bytes(5000))}), 2u);
    // TestWorld looks for leaks.
  }
}

TEST_F(DeviceTest, ADriverFreesWhatItHasSentWithAllItsSegments) {
  const Made null = make({.vdev = "net_null0"});
  Packet* shared = world.make(Bytes(3000), 1000);
  Packet* segment = shared->next_segment;
  share_segment(*segment);
  ASSERT_EQ(send(*null.tx[0], {world.make(Bytes(60)), world.make(Bytes(9000)), shared}), 3u);
  EXPECT_TRUE(segment->has(kShared)) << "the other owner still has it";
  world.worker().buffers().free_segment(segment);
}

TEST_F(DeviceTest, WithoutBuffersItCountsAndIsAskedAgain) {
  const Made null = make({.vdev = "net_null0"});
  std::vector<Packet*> taken;
  while (Packet* packet = world.worker().buffers().alloc()) taken.push_back(packet);
  EXPECT_TRUE(receive(*null.rx[0]).empty());
  EXPECT_EQ(null.rx[0]->no_buffers.get(), kVectorMax);
  EXPECT_TRUE(null.rx[0]->more);
  world.worker().buffers().free(taken);
  const auto got = receive(*null.rx[0]);
  EXPECT_EQ(got.size(), kVectorMax);
  world.worker().buffers().free(got);
}

TEST_F(DeviceTest, PacketsWhoseChecksumStateIsALieAreRefusedAndCounted) {
  const Made null = make({.vdev = "net_null0"});
  Packet* lie = world.make(Bytes(60));
  lie->flags |= kChecksumPartial;
  lie->checksum_start = 60000;
  ASSERT_EQ(send(*null.tx[0], {world.make(Bytes(60)), lie, world.make(Bytes(60))}), 3u);
  EXPECT_EQ(null.tx[0]->errors.get(), 1u);
}

TEST_F(DeviceTest, AnIdleQueueHasATimerAndIsNotAskedMeanwhile) {
  const Made ring = make({.vdev = "net_ring0"});
  EXPECT_GE(ring.rx[0]->fd(), 0);
  world.worker().set_now(tsc());
  EXPECT_TRUE(receive(*ring.rx[0]).empty());
  EXPECT_FALSE(ring.rx[0]->more);
  ASSERT_EQ(send(*ring.tx[0], {world.make(Bytes(60))}), 1u);
  const auto got = receive(*ring.rx[0]);
  ASSERT_EQ(got.size(), 1u);
  world.worker().buffers().free(got);
  EXPECT_TRUE(receive(*ring.rx[0]).empty());
  EXPECT_TRUE(ring.rx[0]->more) << "packets have come just now";
}

TEST_F(DeviceTest, AnIdleQueueIsAskedAgainThoughTheWorkersClockIsBehindTheTimer) {
  const Made ring = make({.vdev = "net_ring0"});
  const auto goes_off = [&] {
    pollfd descriptor{ring.rx[0]->fd(), POLLIN, 0};
    std::uint64_t times = 0;
    return poll(&descriptor, 1, 10'000) == 1 && read(descriptor.fd, &times, sizeof times) == sizeof times;
  };
  world.worker().set_now(tsc());  // and never again: the worker had to wait for its CPU since
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(receive(*ring.rx[0]).empty());
    EXPECT_TRUE(goes_off()) << i;
  }
}

TEST_F(DeviceTest, SaysWhatItIs) {
  const auto device = *open({.vdev = "net_ring0", .queues = 2, .ring = 256}, 4);
  EXPECT_EQ(device->info().rx_queues, 2u);
  EXPECT_EQ(device->info().detail, "net_ring0 (net_ring)");
  const DeviceDetails details = device->details();
  ASSERT_EQ(details.rx.size(), 2u);
  EXPECT_EQ(details.rx[0].ring, 256u);
  EXPECT_EQ(details.rx[0].mode, "poll-mode driver, no copy");
  EXPECT_FALSE(details.rx[0].reason.empty());
  EXPECT_FALSE(details.rx[1].counters.empty());
  EXPECT_FALSE(device->counters().empty());
  EXPECT_TRUE(device->check().ok());
  EXPECT_TRUE(device->carrier());
}

TEST_F(DeviceTest, TakesOneInterfaceADevice) {
  const auto first = open({.vdev = "net_ring0"});
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(absl::IsAlreadyExists(open({.vdev = "net_ring0"}).status()));
  EXPECT_TRUE(open({.vdev = "net_ring1"}).ok());
}

TEST_F(DeviceTest, WhatIsNoNetworkDeviceIsTakenOutAgain) {
  const Status status = open({.vdev = "baseband_null0"}).status();
  EXPECT_NE(text(status).find("it is no network device"), std::string::npos) << text(status);
  EXPECT_EQ(rte_eal_hotplug_remove("vdev", "baseband_null0"), -EINVAL) << "DPDK knows it no more";
}

TEST_F(DeviceTest, RefusesWhatTheDeviceDoesNotTake) {
  EXPECT_TRUE(absl::IsNotFound(open({.vdev = "net_nosuch0"}).status()));
  EXPECT_TRUE(absl::IsNotFound(open({.pci = "0000:fe:1f.7"}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(open({.vdev = "net_ring0", .queues = 60}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(open({.vdev = "net_ring0", .mtu = 20}).status()));
  EXPECT_TRUE(open({.vdev = "net_ring0"}).ok()) << "and nothing of it is left";
}

}  // namespace
}  // namespace sluice::dpdk
