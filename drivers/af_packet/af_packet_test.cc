// SPDX-License-Identifier: Apache-2.0
// Against a veth pair in a namespace of the test's own: the device holds one end, a packet socket the other.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <poll.h>
#include <sluice/testing/temp_folder.h>
#include <sluice/testing/test_namespace.h>
#include <sluice/testing/test_world.h>
#include <sluice/testing/wait_for.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "device.h"

namespace sluice::af_packet {
namespace {

using testing::Bytes;
using testing::TestNamespace;
using testing::TestWorld;
using testing::wait_for;

Bytes frame(std::size_t size, std::uint16_t type = 0x88b5) {
  Bytes bytes(size, 0x5a);
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = 0xff;
  for (std::size_t i = 6; i < 12; ++i) bytes[i] = static_cast<std::uint8_t>(i == 6 ? 2 : i);
  bytes[12] = static_cast<std::uint8_t>(type >> 8);
  bytes[13] = static_cast<std::uint8_t>(type);
  return bytes;
}

class AfPacketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::can_make_namespaces()) GTEST_SKIP() << "needs root";
    ns.emplace();
    ns->inside([&] {
      nl_sock* socket = nl_socket_alloc();
      ASSERT_EQ(nl_connect(socket, NETLINK_ROUTE), 0);
      rtnl_link* near = rtnl_link_veth_alloc();
      rtnl_link_set_name(near, "near");
      rtnl_link* peer = rtnl_link_veth_get_peer(near);
      rtnl_link_set_name(peer, "far");
      rtnl_link_put(peer);
      EXPECT_EQ(rtnl_link_add(socket, near, NLM_F_CREATE | NLM_F_EXCL), 0);
      rtnl_link_put(near);
      nl_socket_free(socket);
    });
    auto netlink = host::Netlink::open(ns->path());
    for (const char* name : {"near", "far"}) {
      ASSERT_TRUE(host::write_sysctl(ns->path(), fmt::format("ipv6/conf/{}/disable_ipv6", name), "1").ok());
      ASSERT_TRUE(netlink->set_mtu(name, 9000).ok());
    }
    ASSERT_TRUE(netlink->set_up("far", true).ok());
  }
  void TearDown() override {
    if (far >= 0) close(far);
    device.reset();
    EXPECT_TRUE(!ns || std::filesystem::is_empty(folder.path())) << "no note stays behind a device that was closed";
  }

  std::unique_ptr<PacketDevice> open(std::uint16_t queues = 1) {
    auto opened = PacketDevice::open({.host_name = "near", .namespace_path = ns->path(), .queues = queues}, silences);
    EXPECT_TRUE(opened.ok()) << text(opened.status());
    return opened.ok() ? std::move(*opened) : nullptr;
  }
  std::string sysctl(std::string_view name) const {
    const auto value = host::read_sysctl(ns->path(), fmt::format("ipv4/conf/near/{}", name));
    return value.ok() ? *value : text(value.status());
  }
  void open_near(std::uint16_t queues = 1) {
    device = open(queues);
    ASSERT_TRUE(device);
    rx = *device->open_rx();
    tx = *device->open_tx();
    ns->inside([&] {
      far = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      const int on = 1;
      ASSERT_EQ(setsockopt(far, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on), 0);
      sockaddr_ll address{};
      address.sll_family = AF_PACKET;
      address.sll_protocol = htons(ETH_P_ALL);
      address.sll_ifindex = static_cast<int>(if_nametoindex("far"));
      ASSERT_EQ(bind(far, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    });
  }
  void send_far(const Bytes& bytes, const VnetHeader& header = {}) {
    Bytes message(sizeof header);
    std::memcpy(message.data(), &header, sizeof header);
    message.insert(message.end(), bytes.begin(), bytes.end());
    ASSERT_EQ(write(far, message.data(), message.size()), static_cast<ssize_t>(message.size())) << strerror(errno);
  }
  std::vector<Packet*> receive(std::size_t queue = 0) {
    std::array<Packet*, kVectorMax> packets;
    const std::size_t n = rx[queue]->receive(world.worker(), packets);
    return {packets.begin(), packets.begin() + static_cast<std::ptrdiff_t>(n)};
  }
  /// As many packets as must come.
  std::vector<Packet*> receive_all(std::size_t count) {
    std::vector<Packet*> packets;
    wait_for([&] {
      for (Packet* packet : receive()) packets.push_back(packet);
      return packets.size() >= count;
    });
    return packets;
  }
  /// One packet that must have come, as bytes.
  Bytes receive_one() {
    const auto packets = receive_all(1);
    EXPECT_EQ(packets.size(), 1u);
    Bytes bytes = packets.empty() ? Bytes{} : TestWorld::bytes_of(*packets[0]);
    world.worker().buffers().free(packets);
    return bytes;
  }
  Bytes receive_far() {
    Bytes message(80000);
    ssize_t n = -1;
    wait_for([&] { return (n = read(far, message.data(), message.size())) >= 0; });
    if (n < static_cast<ssize_t>(sizeof(VnetHeader))) return {};
    return {message.begin() + sizeof(VnetHeader), message.begin() + n};
  }

  TestWorld world;
  std::optional<TestNamespace> ns;
  const testing::TempFolder folder;
  Silences silences{folder.path()};
  std::unique_ptr<PacketDevice> device;
  std::vector<std::unique_ptr<RxQueue>> rx;
  std::vector<std::unique_ptr<TxQueue>> tx;
  int far = -1;
};

TEST_F(AfPacketTest, ReceivesFramesInOrder) {
  open_near();
  for (const std::size_t size : {60u, 61u, 1000u, 1514u}) send_far(frame(size));
  const auto packets = receive_all(4);
  ASSERT_EQ(packets.size(), 4u);
  EXPECT_EQ(TestWorld::bytes_of(*packets[0]), frame(60));
  EXPECT_EQ(TestWorld::bytes_of(*packets[3]), frame(1514));
  world.worker().buffers().free(packets);
  EXPECT_TRUE(receive().empty());
}

TEST_F(AfPacketTest, WakesTheWorker) {
  open_near();
  pollfd waiting{.fd = rx[0]->fd(), .events = POLLIN};
  EXPECT_EQ(poll(&waiting, 1, 0), 0);
  send_far(frame(60));
  EXPECT_EQ(poll(&waiting, 1, -1), 1);
  EXPECT_EQ(receive_one(), frame(60));
}

TEST_F(AfPacketTest, ReceivesAFrameThatIsLongerThanASlot) {
  open_near();
  send_far(frame(60));
  send_far(frame(9014));
  send_far(frame(61));
  const auto packets = receive_all(3);
  ASSERT_EQ(packets.size(), 3u);
  EXPECT_EQ(TestWorld::bytes_of(*packets[0]), frame(60));
  EXPECT_EQ(TestWorld::bytes_of(*packets[1]), frame(9014));
  EXPECT_EQ(TestWorld::bytes_of(*packets[2]), frame(61));
  world.worker().buffers().free(packets);
}

TEST_F(AfPacketTest, GoesRoundTheRing) {
  open_near();
  for (std::size_t i = 0; i < 3 * Socket::kFrames; ++i) {
    send_far(frame(60 + i % 100));
    if (i % 128 != 127) continue;
    const auto packets = receive_all(128);
    ASSERT_EQ(packets.size(), 128u);
    EXPECT_EQ(packets[127]->length, 60 + i % 100);
    world.worker().buffers().free(packets);
  }
}

TEST_F(AfPacketTest, PutsTheVlanTagBack) {
  open_near();
  for (const std::uint16_t type : {0x8100, 0x88a8}) {
    Bytes bytes = frame(100, type);
    bytes[14] = 0x60;
    bytes[15] = 100;
    bytes[16] = 0x08;
    bytes[17] = 0x00;
    send_far(bytes);
    EXPECT_EQ(receive_one(), bytes);
  }
}

// An IPv4 packet of a TCP segment, headers of 54 bytes with the Ethernet header.
Bytes tcp(std::size_t payload) {
  Bytes bytes = frame(54 + payload, 0x0800);
  const std::size_t length = 40 + payload;
  const Bytes ip{0x45,
                 0,
                 static_cast<std::uint8_t>(length >> 8),
                 static_cast<std::uint8_t>(length),
                 0,
                 1,
                 0x40,
                 0,
                 64,
                 6,
                 0,
                 0,
                 10,
                 0,
                 0,
                 1,
                 10,
                 0,
                 0,
                 2};
  std::copy(ip.begin(), ip.end(), bytes.begin() + 14);
  bytes[46] = 0x50;
  bytes[47] = 0x10;
  return bytes;
}

TEST_F(AfPacketTest, ReceivesASuperPacketWhole) {
  open_near();
  send_far(tcp(30000), {VnetHeader::kNeedsChecksum, 1, 54, 1448, 34, 16});
  const auto packets = receive_all(1);
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0]->chain_length, 30054u);
  EXPECT_TRUE(packets[0]->has(kGso) && packets[0]->has(kChecksumPartial));
  EXPECT_EQ(packets[0]->gso_type, GsoType::Tcp4);
  EXPECT_EQ(packets[0]->gso_size, 1448);
  EXPECT_EQ(packets[0]->checksum_start, packets[0]->offset() + 34);
  world.worker().buffers().free(packets);
}

TEST_F(AfPacketTest, SendsFramesAndDoesNotReceiveThem) {
  open_near();
  std::vector<Packet*> packets;
  for (std::size_t i = 0; i < 150; ++i) packets.push_back(world.make(frame(60 + i)));
  packets.push_back(world.make(frame(9000), 500));
  EXPECT_EQ(tx[0]->transmit(world.worker(), packets), 151u);
  EXPECT_EQ(tx[0]->errors.get(), 0u);
  for (std::size_t i = 0; i < 150; ++i) EXPECT_EQ(receive_far(), frame(60 + i));
  EXPECT_EQ(receive_far(), frame(9000));
  EXPECT_TRUE(receive().empty());
}

TEST_F(AfPacketTest, SendsASuperPacketWhole) {
  open_near();
  Packet* packet = world.make(tcp(30000));
  ASSERT_TRUE(apply_vnet_header({VnetHeader::kNeedsChecksum, 1, 54, 1448, 34, 16}, *packet));
  EXPECT_EQ(tx[0]->transmit(world.worker(), std::span(&packet, 1)), 1u);
  EXPECT_EQ(tx[0]->errors.get(), 0u);
  EXPECT_EQ(receive_far().size(), 30054u);
}

TEST_F(AfPacketTest, CountsWhatTheKernelRefusesAndSendsTheRest) {
  open_near();
  std::vector<Packet*> packets{world.make(frame(60)), world.make(frame(20000)), world.make(frame(61))};
  EXPECT_EQ(tx[0]->transmit(world.worker(), packets), 3u);
  EXPECT_EQ(tx[0]->errors.get(), 1u);
  EXPECT_EQ(receive_far(), frame(60));
  EXPECT_EQ(receive_far(), frame(61));
}

TEST_F(AfPacketTest, SharesPacketsAmongQueuesByFlow) {
  open_near(2);
  ASSERT_EQ(rx.size(), 2u);
  for (int i = 0; i < 100; ++i) {
    Bytes bytes = tcp(10);
    bytes[35] = static_cast<std::uint8_t>(i);
    send_far(bytes);
  }
  const auto first = receive(0), second = receive(1);
  EXPECT_EQ(first.size() + second.size(), 100u);
  EXPECT_GT(first.size(), 0u);
  EXPECT_GT(second.size(), 0u);
  world.worker().buffers().free(first);
  world.worker().buffers().free(second);
}

TEST_F(AfPacketTest, CountsWhatFoundNoSlotAsMissed) {
  open_near();
  EXPECT_EQ(device->rx_missed(), 0u);
  for (std::size_t i = 0; i < Socket::kFrames + 100; ++i) send_far(frame(60));
  const std::uint64_t missed = device->rx_missed();
  EXPECT_GE(missed, 100u);
  EXPECT_EQ(device->rx_missed(), missed) << "reading them once more loses none";
  EXPECT_EQ(device->counters()[1].value, missed);
  for (std::size_t got = 1; got > 0;) {
    const auto packets = receive();
    got = packets.size();
    world.worker().buffers().free(packets);
  }
}

TEST_F(AfPacketTest, AFloodWithoutBuffersDoesNotKeepTheWorker) {
  open_near();
  std::vector<Packet*> taken;
  while (Packet* packet = world.worker().buffers().alloc()) taken.push_back(packet);
  constexpr std::size_t kMost = 2 * kVectorMax;
  for (std::size_t i = 0; i < kMost + 88; ++i) send_far(frame(60));
  EXPECT_TRUE(receive().empty());
  EXPECT_EQ(rx[0]->no_buffers.get(), kMost);
  EXPECT_TRUE(rx[0]->more);
  EXPECT_TRUE(receive().empty());
  EXPECT_EQ(rx[0]->no_buffers.get(), kMost + 88);
  EXPECT_FALSE(rx[0]->more);
  world.worker().buffers().free(taken);
}

TEST_F(AfPacketTest, DropsWithoutBuffersAndGoesOn) {
  open_near();
  std::vector<Packet*> taken;
  while (Packet* packet = world.worker().buffers().alloc()) taken.push_back(packet);
  for (const std::size_t size : {60u, 9014u, 100u}) send_far(frame(size));
  wait_for([&] {
    EXPECT_TRUE(receive().empty());
    return rx[0]->no_buffers.get() == 3;
  });
  EXPECT_EQ(rx[0]->no_buffers.get(), 3u);
  world.worker().buffers().free(taken);
  send_far(frame(61));
  EXPECT_EQ(receive_one(), frame(61));
}

TEST_F(AfPacketTest, SilencesTheKernelOnAnInterfaceWithoutAddresses) {
  const std::string name = "ipv4/conf/near/arp_ignore";
  open_near();
  EXPECT_EQ(*host::read_sysctl(ns->path(), name), "8");
  EXPECT_EQ(*host::read_sysctl(ns->path(), "ipv6/conf/near/disable_ipv6"), "1");
  rx.clear();
  tx.clear();
  device.reset();
  EXPECT_EQ(*host::read_sysctl(ns->path(), name), "0") << "what was found is given back";
}

TEST_F(AfPacketTest, GivesTheKernelsStackBackWithTheLastDeviceOfAnInterface) {
  auto first = open(), second = open();
  first.reset();
  EXPECT_EQ(sysctl("arp_ignore"), "8") << "the second device still uses it";
  auto third = open();
  second.reset();
  EXPECT_EQ(sysctl("arp_ignore"), "8");
  third.reset();
  EXPECT_EQ(sysctl("arp_ignore"), "0");
}

TEST_F(AfPacketTest, LeavesTheKernelAloneWhereItHasAddresses) {
  ASSERT_TRUE(host::Netlink::open(ns->path())->add_address("near", "10.0.0.1/24").ok());
  open_near();
  EXPECT_EQ(*host::read_sysctl(ns->path(), "ipv4/conf/near/arp_ignore"), "0");
}

TEST_F(AfPacketTest, NoticesThatTheInterfaceIsGone) {
  open_near();
  EXPECT_TRUE(device->check().ok());
  EXPECT_TRUE(device->carrier());
  ASSERT_TRUE(host::Netlink::open(ns->path())->delete_link("far").ok());
  EXPECT_FALSE(device->check().ok());
  EXPECT_FALSE(device->carrier());
  EXPECT_TRUE(receive().empty());
  Packet* packet = world.make(frame(60));
  EXPECT_EQ(tx[0]->transmit(world.worker(), std::span(&packet, 1)), 1u);
  EXPECT_EQ(tx[0]->errors.get(), 1u);
}

TEST_F(AfPacketTest, NamesAnInterfaceThatIsMissingOrOfAnotherKind) {
  const auto missing = PacketDevice::open({.host_name = "eth77", .namespace_path = ns->path()}, silences);
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_NE(text(missing.status()).find("eth77"), std::string::npos);
  const auto loopback = PacketDevice::open({.host_name = "lo", .namespace_path = ns->path()}, silences);
  EXPECT_TRUE(absl::IsFailedPrecondition(loopback.status())) << text(loopback.status());
}

TEST(AfPacketOptions, SayInWhatTheyDiffer) {
  const Options present{.host_name = "eth0"};
  Options wanted = present;
  EXPECT_EQ(differences(present, wanted), "");
  wanted.queues = 2;
  EXPECT_EQ(differences(present, wanted), "queues 2 instead of 1");
}

}  // namespace
}  // namespace sluice::af_packet
