// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <poll.h>
#include <sluice/clock.h>
#include <sluice/net/checksum.h>
#include <sluice/net/ethernet.h>
#include <sluice/net/ip4.h>
#include <sluice/net/udp.h>
#include <sluice/testing/test_world.h>

#include "device.h"

namespace sluice::null {
namespace {

using testing::TestWorld;

class NullTest : public ::testing::Test {
 protected:
  std::vector<Packet*> receive(RxQueue& queue, std::uint64_t now_ns) {
    world.worker().set_now(ns_to_tsc(now_ns));
    std::array<Packet*, kVectorMax> packets;
    const std::size_t n = queue.receive(world.worker(), packets);
    return {packets.begin(), packets.begin() + static_cast<std::ptrdiff_t>(n)};
  }
  std::size_t count(RxQueue& queue, std::uint64_t now_ns) {
    const auto packets = receive(queue, now_ns);
    world.worker().buffers().free(packets);
    return packets.size();
  }
  TestWorld world;
};

constexpr std::uint64_t kSecond = 1'000'000'000;
const Ip4Address kTo(0xc6120002);

TEST_F(NullTest, ASinkTakesAllAndHasNoReceiveQueue) {
  NullDevice device({.name = "null0"});
  EXPECT_TRUE(device.open_rx()->empty());
  const auto tx = *device.open_tx();
  std::vector<Packet*> packets{world.make(std::vector<std::uint8_t>(60)), world.make(std::vector<std::uint8_t>(5000))};
  EXPECT_EQ(tx[0]->transmit(world.worker(), packets), 2u);
}

TEST_F(NullTest, ASourceSendsOnlyWhileItIsUp) {
  NullDevice device({.name = "s", .source = true, .to = kTo});
  const auto rx = *device.open_rx();
  EXPECT_EQ(count(*rx[0], kSecond), 0u);
  pollfd waiting{.fd = rx[0]->fd(), .events = POLLIN};
  EXPECT_EQ(poll(&waiting, 1, 0), 0);
  device.begin();
  EXPECT_EQ(poll(&waiting, 1, 0), 1) << "a sleeping worker must wake";
  EXPECT_EQ(count(*rx[0], kSecond), kVectorMax);
  ASSERT_TRUE(device.set_admin_state(false).ok());
  EXPECT_EQ(count(*rx[0], kSecond), 0u);
}

TEST_F(NullTest, ASourceKeepsItsRate) {
  NullDevice device({.name = "s", .source = true, .to = kTo, .rate = 1000});
  const auto rx = *device.open_rx();
  device.begin();
  EXPECT_EQ(count(*rx[0], 10 * kSecond), 1u);
  std::size_t sent = 0;
  for (std::uint64_t ms = 1; ms <= 1000; ms += 7) sent += count(*rx[0], 10 * kSecond + ms * 1'000'000);
  EXPECT_GE(sent, 990u);
  EXPECT_LE(sent, 1000u);
}

TEST_F(NullTest, ASourceStopsAfterItsCount) {
  NullDevice device({.name = "s", .source = true, .to = kTo, .count = 300});
  const auto rx = *device.open_rx();
  device.begin();
  EXPECT_EQ(count(*rx[0], kSecond), 256u);
  EXPECT_EQ(count(*rx[0], kSecond), 44u);
  EXPECT_EQ(count(*rx[0], kSecond), 0u);
}

TEST_F(NullTest, ASourcesPacketIsTrue) {
  for (const bool layer3 : {false, true}) {
    NullDevice device({.name = "s", .source = true, .layer3 = layer3, .to = kTo, .size = 100, .count = 1});
    const auto rx = *device.open_rx();
    device.begin();
    const auto packets = receive(*rx[0], kSecond);
    ASSERT_EQ(packets.size(), 1u);
    Packet& packet = *packets[0];
    EXPECT_EQ(packet.chain_length, layer3 ? 100u : 114u);
    if (!layer3) {
      const auto* ethernet = packet.header<EthernetHeader>();
      EXPECT_EQ(ethernet->destination, device.info().mac);
      EXPECT_EQ(ethernet->type.host(), kEthertypeIp4);
      packet.pull(sizeof *ethernet);
    }
    const auto* ip = packet.header<Ip4Header>();
    EXPECT_EQ(ip->total_length.host(), 100);
    EXPECT_EQ(ip->destination, kTo);
    EXPECT_EQ(checksum_fold(checksum_add(0, ip, sizeof *ip)), 0xffff);
    world.worker().buffers().free(packets);
  }
}

TEST_F(NullTest, HasAsManyQueuesAsItIsToldAndEachSendsAllFlowsInTurn) {
  NullDevice device({.name = "s", .source = true, .to = kTo, .count = 10, .queues = 3, .flows = 4});
  EXPECT_EQ(device.info().rx_queues, 3u);
  EXPECT_EQ(device.info().tx_queues, 3u);
  EXPECT_EQ(device.open_tx()->size(), 3u);
  EXPECT_EQ(device.details().rx.size(), 3u);
  EXPECT_EQ(device.details().tx.size(), 3u);
  const auto rx = *device.open_rx();
  ASSERT_EQ(rx.size(), 3u);
  device.begin();
  for (const auto& queue : rx) {
    const auto packets = receive(*queue, kSecond);
    ASSERT_EQ(packets.size(), 10u) << "count is of each queue";
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const auto* udp = packets[i]->header<UdpHeader>(sizeof(EthernetHeader) + sizeof(Ip4Header));
      EXPECT_EQ(udp->source.host(), 1024 + i % 4);
      EXPECT_EQ(udp->destination.host(), 9);
    }
    world.worker().buffers().free(packets);
  }
}

TEST_F(NullTest, ASourceWithoutBuffersCountsWhatItCouldNotSend) {
  NullDevice device({.name = "s", .source = true, .to = kTo});
  const auto rx = *device.open_rx();
  device.begin();
  std::vector<Packet*> taken;
  while (Packet* packet = world.worker().buffers().alloc()) taken.push_back(packet);
  EXPECT_EQ(count(*rx[0], kSecond), 0u);
  EXPECT_EQ(rx[0]->no_buffers.get(), kVectorMax);
  EXPECT_TRUE(rx[0]->more) << "there is no other event to make the worker ask again";
  world.worker().buffers().free(taken);
  EXPECT_EQ(count(*rx[0], kSecond), kVectorMax);
  ASSERT_TRUE(device.set_admin_state(false).ok());
  EXPECT_EQ(count(*rx[0], kSecond), 0u);
  EXPECT_FALSE(rx[0]->more);
}

TEST(NullOptions, SayInWhatTheyDiffer) {
  const Options present{.name = "null0"};
  EXPECT_EQ(differences(present, present), "");
  const Options wanted{.name = "null0",
                       .source = true,
                       .layer3 = true,
                       .to = kTo,
                       .size = 100,
                       .rate = 5,
                       .count = 7,
                       .queues = 2,
                       .flows = 3};
  EXPECT_EQ(differences(present, wanted),
            "source yes instead of no, layer3 yes instead of no, to 198.18.0.2 instead of 0.0.0.0, size 100 instead of "
            "64, rate 5 instead of 0, count 7 instead of 0, queues 2 instead of 1, flows 3 instead of 1");
}

TEST(NullDevice, ChangesTheMacAddressOfASinkOnly) {
  NullDevice sink({.name = "null0"});
  EXPECT_TRUE(sink.set_mac(*MacAddress::parse("02::7")).ok());
  EXPECT_EQ(sink.info().mac, *MacAddress::parse("02::7"));
  NullDevice source({.name = "s", .source = true});
  EXPECT_TRUE(absl::IsFailedPrecondition(source.set_mac(*MacAddress::parse("02::7"))));
}

}  // namespace
}  // namespace sluice::null
