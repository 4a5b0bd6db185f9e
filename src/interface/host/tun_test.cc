// SPDX-License-Identifier: Apache-2.0
#include "sluice/tun.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "interface/host/tun_queue.h"
#include "sluice/testing/test_namespace.h"
#include "sluice/testing/test_world.h"

namespace sluice {
namespace {

using testing::Bytes;
using testing::TestNamespace;
using testing::TestWorld;

class TunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::can_make_namespaces()) GTEST_SKIP() << "needs root and /dev/net/tun";
    ns.emplace();
  }
  TunOptions options() const { return {.host_name = "eth0", .namespace_path = ns->path()}; }
  /// A TUN that is up with 10.0.0.1, and its queues.
  void open_up() {
    auto opened = driver.open(options());
    ASSERT_TRUE(opened.ok()) << text(opened.status());
    tun = std::move(*opened);
    rx = std::move(*tun->open_rx());
    tx = std::move(*tun->open_tx());
    const auto netlink = host::Netlink::open(ns->path());
    ASSERT_TRUE(host::write_sysctl(ns->path(), "ipv6/conf/eth0/disable_ipv6", "1").ok());
    ASSERT_TRUE(netlink->set_addresses("eth0", {"10.0.0.1/24"}).ok());
    ASSERT_TRUE(netlink->set_up("eth0", true).ok());
  }
  int udp_socket() {
    int fd = -1;
    ns->inside([&] { fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); });
    return fd;
  }
  static sockaddr_in to(const char* address, std::uint16_t port) {
    sockaddr_in a{.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &a.sin_addr);
    return a;
  }
  void send_udp(int fd, std::size_t size) {
    const Bytes payload(size, 0x5a);
    const auto far = to("10.0.0.2", 4000);
    ASSERT_EQ(sendto(fd, payload.data(), size, 0, reinterpret_cast<const sockaddr*>(&far), sizeof far),
              static_cast<ssize_t>(size));
  }
  std::vector<Packet*> receive() {
    std::array<Packet*, kVectorMax> packets;
    const std::size_t n = rx[0]->receive(world.worker(), packets);
    return {packets.begin(), packets.begin() + n};
  }

  TestWorld world;
  TunDriver driver{world.registry, "tun", LinkLayer::Ip};
  std::optional<TestNamespace> ns;
  std::unique_ptr<TunDevice> tun;
  std::vector<std::unique_ptr<RxQueue>> rx;
  std::vector<std::unique_ptr<TxQueue>> tx;
};

TEST_F(TunTest, ReceivesWhatTheKernelSends) {
  open_up();
  const int fd = udp_socket();
  for (const std::size_t size : {0u, 1u, 1000u, 1472u}) send_udp(fd, size);
  close(fd);
  const auto packets = receive();
  ASSERT_EQ(packets.size(), 4u);
  EXPECT_EQ(packets[0]->chain_length, 28u);
  EXPECT_EQ(packets[3]->chain_length, 1500u);
  EXPECT_EQ(packets[3]->data[1499], std::byte{0x5a});
  EXPECT_TRUE(packets[3]->has(kChecksumPartial));
  EXPECT_EQ(packets[3]->checksum_start, packets[3]->offset() + 20);
  world.worker().buffers().free(packets);
  EXPECT_TRUE(receive().empty());
}

TEST_F(TunTest, KeepsASuperPacketWhole) {
  open_up();
  if (!tun->info().offloads.tx_uso) GTEST_SKIP() << "this kernel's TUN has no UDP segmentation";
  const int fd = udp_socket();
  const int size = 1000;
  ASSERT_EQ(setsockopt(fd, IPPROTO_UDP, 103 /* UDP_SEGMENT */, &size, sizeof size), 0);
  send_udp(fd, 60000);
  close(fd);
  const auto packets = receive();
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0]->chain_length, 60028u);
  EXPECT_TRUE(packets[0]->has(kGso));
  EXPECT_EQ(packets[0]->gso_type, GsoType::UdpL4);
  EXPECT_EQ(packets[0]->gso_size, 1000);
  const Bytes bytes = TestWorld::bytes_of(*packets[0]);
  EXPECT_EQ(std::count(bytes.begin() + 28, bytes.end(), 0x5a), 60000);
  world.worker().buffers().free(packets);
}

TEST_F(TunTest, LeavesTheRestOfManySuperPacketsToTheNextCall) {
  open_up();
  if (!tun->info().offloads.tx_uso) GTEST_SKIP() << "this kernel's TUN has no UDP segmentation";
  const int fd = udp_socket();
  const int size = 1000;
  ASSERT_EQ(setsockopt(fd, IPPROTO_UDP, 103 /* UDP_SEGMENT */, &size, sizeof size), 0);
  for (int i = 0; i < 5; ++i) send_udp(fd, 60000);
  close(fd);
  for (const std::size_t wanted : {3u, 2u, 0u}) {
    const auto packets = receive();
    EXPECT_EQ(packets.size(), wanted);
    world.worker().buffers().free(packets);
  }
}

TEST_F(TunTest, HoldsThousandsOfPacketsWhileTheWorkerIsAway) {
  open_up();
  constexpr std::size_t kLength = 4096;
  const int fd = udp_socket();
  for (std::size_t i = 0; i < kLength + 100; ++i) send_udp(fd, 18);
  close(fd);
  std::size_t came = 0;
  for (auto packets = receive(); !packets.empty(); packets = receive()) {
    came += packets.size();
    world.worker().buffers().free(packets);
  }
  EXPECT_EQ(came, kLength);
}

TEST_F(TunTest, SendsWhatItReceivedBackAsSegments) {
  open_up();
  if (!tun->info().offloads.tx_uso) GTEST_SKIP() << "this kernel's TUN has no UDP segmentation";
  const int fd = udp_socket();
  const auto own = to("0.0.0.0", 4000);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
  const int size = 1000;
  ASSERT_EQ(setsockopt(fd, IPPROTO_UDP, 103, &size, sizeof size), 0);
  send_udp(fd, 2500);
  auto packets = receive();
  ASSERT_EQ(packets.size(), 1u);
  // Swapped addresses leave every checksum as it is; the ports are equal.
  std::swap_ranges(packets[0]->data + 12, packets[0]->data + 16, packets[0]->data + 16);
  EXPECT_EQ(tx[0]->transmit(world.worker(), packets), 1u);
  EXPECT_EQ(tx[0]->errors.get(), 0u);
  Bytes got(4000);
  std::size_t total = 0;
  for (ssize_t n = 0; (n = recv(fd, got.data(), got.size(), 0)) > 0;) total += static_cast<std::size_t>(n);
  EXPECT_EQ(total, 2500u);
  close(fd);
}

TEST_F(TunTest, DropsAtTheSourceWithoutBuffers) {
  open_up();
  std::vector<Packet*> taken;
  while (Packet* packet = world.worker().buffers().alloc()) taken.push_back(packet);
  const int fd = udp_socket();
  for (int i = 0; i < 5; ++i) send_udp(fd, 100);
  EXPECT_TRUE(receive().empty());
  EXPECT_EQ(rx[0]->no_buffers.get(), 5u);
  // Two buffers: short packets pass, what needs three is lost.
  for (int i = 0; i < 2; ++i) {
    world.worker().buffers().free(taken.back());
    taken.pop_back();
  }
  send_udp(fd, 100);
  const auto packets = receive();
  EXPECT_EQ(packets.size(), 1u);
  close(fd);
  world.worker().buffers().free(packets);
  world.worker().buffers().free(taken);
}

TEST_F(TunTest, CountsWhatAFarSideThatIsDownRefuses) {
  open_up();
  ASSERT_TRUE(host::Netlink::open(ns->path())->set_up("eth0", false).ok());
  std::vector<Packet*> packets{world.make(Bytes{0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1})};
  EXPECT_EQ(tx[0]->transmit(world.worker(), packets), 1u);
  EXPECT_EQ(tx[0]->errors.get(), 1u);
}

TEST_F(TunTest, ReportsOnceThatTheDeviceIsGone) {
  open_up();
  int lost = 0;
  tun->on_lost = [&](const Status& why) {
    ++lost;
    EXPECT_NE(text(why).find("eth0"), std::string::npos);
  };
  ASSERT_TRUE(host::Netlink::open(ns->path())->delete_link("eth0").ok());
  pollfd waiting{.fd = rx[0]->fd(), .events = POLLIN};
  EXPECT_EQ(poll(&waiting, 1, 1000), 1) << "the worker must wake to see it";
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(receive().empty());
  ControlMessage message;
  int messages = 0;
  while (world.worker().messages().pop(message)) {
    ++messages;
    world.registry.message_handlers()[message.kind](message);
  }
  EXPECT_EQ(messages, 1);
  EXPECT_EQ(lost, 1);
  EXPECT_TRUE(tun->withdraw().ok());
}

TEST_F(TunTest, RemovesTheKernelsInterfaceWithTheDevice) {
  for (const bool persistent : {false, true}) {
    TunOptions o = options();
    o.persistent = persistent;
    auto device = driver.open(o);
    ASSERT_TRUE(device.ok()) << text(device.status());
    EXPECT_TRUE(host::Netlink::open(ns->path())->link("eth0").ok());
    device->reset();
    EXPECT_TRUE(absl::IsNotFound(host::Netlink::open(ns->path())->link("eth0").status()));
  }
}

TEST_F(TunTest, AttachesAgainToAPersistentDevice) {
  TunOptions o = options();
  o.persistent = true;
  o.queues = 2;
  auto first = driver.open(o);
  ASSERT_TRUE(first.ok());
  EXPECT_FALSE((*first)->attached());
  (*first)->keep(true);
  ASSERT_TRUE(host::Netlink::open(ns->path())->add_address("eth0", "10.0.0.1/32").ok());
  first->reset();
  o.queues = 1;
  auto second = driver.open(o);
  ASSERT_TRUE(second.ok()) << text(second.status());
  EXPECT_TRUE((*second)->attached());
  EXPECT_EQ(*host::Netlink::open(ns->path())->addresses("eth0"), std::vector<std::string>{"10.0.0.1/32"});
}

TEST_F(TunTest, RefusesAnInterfaceThatIsInUse) {
  open_up();
  TunDriver other{world.registry, "tun", LinkLayer::Ip};
  for (const bool up : {true, false}) {
    ASSERT_TRUE(tun->set_admin_state(up).ok());
    const auto second = other.open(options());
    EXPECT_TRUE(absl::IsAlreadyExists(second.status())) << up << text(second.status());
    EXPECT_NE(text(second.status()).find("another process"), std::string::npos);
  }
}

TEST_F(TunTest, CountsTheDescriptorsThatHoldADevice) {
  TunOptions o = options();
  o.persistent = true;
  o.queues = 3;
  auto device = driver.open(o);
  ASSERT_TRUE(device.ok()) << text(device.status());
  const auto netlink = host::Netlink::open(ns->path());
  EXPECT_EQ(*netlink->tun_queues("eth0"), 3u);
  EXPECT_TRUE(absl::IsNotFound(netlink->tun_queues("eth7").status()));
  (*device)->keep(true);
  EXPECT_TRUE((*device)->withdraw().ok());
  EXPECT_TRUE(netlink->link("eth0").ok()) << "what is kept is not withdrawn";
  device->reset();
  EXPECT_EQ(*netlink->tun_queues("eth0"), 0u);
}

TEST_F(TunTest, LeavesTheKernelWithAllOthersWhenTheDaemonEnds) {
  const auto netlink = host::Netlink::open(ns->path());
  const auto name = [](int i) { return fmt::format("eth{}", i); };
  constexpr int kDevices = 40, kKept = 7;
  {
    Registry registry;
    TunDriver ending(registry, "tun", LinkLayer::Ip);
    std::vector<std::unique_ptr<TunDevice>> devices;
    for (int i = 0; i < kDevices; ++i) {
      TunOptions o = options();
      o.host_name = name(i);
      o.persistent = i % 2 == 1;
      auto device = ending.open(o);
      ASSERT_TRUE(device.ok()) << text(device.status());
      devices.push_back(std::move(*device));
    }
    devices[kKept]->keep(true);
    for (const auto& stop : registry.stops()) stop();
    for (const auto& device : devices) EXPECT_TRUE(device->withdraw().ok());
    devices.clear();
    EXPECT_TRUE(netlink->link(name(0)).ok()) << "it goes with the driver";
  }
  for (int i = 0; i < kDevices; ++i) EXPECT_EQ(netlink->link(name(i)).ok(), i == kKept) << i;
}

TEST_F(TunTest, RefusesAnInterfaceOfAnotherKind) {
  TunOptions o = options();
  o.host_name = "lo";
  const auto device = driver.open(o);
  EXPECT_TRUE(absl::IsAlreadyExists(device.status())) << text(device.status());
  EXPECT_NE(text(device.status()).find("lo"), std::string::npos);
}

TEST_F(TunTest, RefusesNamesThatTheKernelDoesNotTake) {
  for (const char* name : {"", "eth/0", "eth%d", "a-name-that-is-too-long", ".", "a b"}) {
    TunOptions o = options();
    o.host_name = name;
    EXPECT_TRUE(absl::IsInvalidArgument(driver.open(o).status())) << name;
  }
}

TEST_F(TunTest, NamesANamespaceThatIsMissing) {
  TunOptions o = options();
  o.namespace_path = "/run/netns/no-such-namespace";
  const auto device = driver.open(o);
  EXPECT_TRUE(absl::IsNotFound(device.status()));
  EXPECT_NE(text(device.status()).find(o.namespace_path), std::string::npos);
}

TEST_F(TunTest, ChangesTheMtuOfTheFarSide) {
  open_up();
  EXPECT_TRUE(tun->set_mtu(9000).ok());
  EXPECT_EQ(host::Netlink::open(ns->path())->link("eth0")->mtu, 9000u);
}

TEST_F(TunTest, LeavesAStrangersInterfaceAloneWhenItsOwnNamespaceHasLostThePath) {
  open_up();
  const auto own = host::Netlink::open(ns->path());
  ns->replace();
  const auto stranger = driver.open(options());
  ASSERT_TRUE(stranger.ok()) << text(stranger.status());
  EXPECT_TRUE(tun->set_mtu(1400).ok());
  EXPECT_EQ(own->link("eth0")->mtu, 1400u);
  EXPECT_TRUE(tun->withdraw().ok());
  EXPECT_TRUE(absl::IsNotFound(own->link("eth0").status()));
  const auto theirs = host::Netlink::open(ns->path())->link("eth0");
  ASSERT_TRUE(theirs.ok()) << text(theirs.status());
  EXPECT_EQ(theirs->mtu, 1500u);
}

TEST_F(TunTest, FindsItsInterfaceUnderAnotherNameAndInAnotherNamespace) {
  open_up();
  TestNamespace other;
  ASSERT_TRUE(host::Netlink::open(ns->path())->move_link("eth0", other.path(), "net1").ok());
  EXPECT_TRUE(tun->set_mtu(1400).ok());
  EXPECT_EQ(host::Netlink::open(other.path())->link("net1")->mtu, 1400u);
  EXPECT_TRUE(tun->withdraw().ok());
  EXPECT_TRUE(absl::IsNotFound(host::Netlink::open(other.path())->link("net1").status()));
}

TEST_F(TunTest, TakesTheCarrierAwayWhenSetDown) {
  open_up();
  EXPECT_TRUE(tun->set_admin_state(false).ok());
  EXPECT_FALSE(host::Netlink::open(ns->path())->link("eth0")->carrier);
  EXPECT_TRUE(tun->set_admin_state(true).ok());
  EXPECT_TRUE(host::Netlink::open(ns->path())->link("eth0")->carrier);
}

// Each read of /dev/zero fills the whole chain, which is refused as too long: a flood without an end.
TEST(TunRxQueue, AFloodOfWhatItRefusesDoesNotKeepTheWorker) {
  TestWorld world;
  const int flood = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(flood, 0);
  TunRxQueue queue(flood, {});
  std::array<Packet*, kVectorMax> packets;
  for (std::uint64_t call = 1; call <= 3; ++call) {
    EXPECT_EQ(queue.receive(world.worker(), packets), 0u);
    EXPECT_TRUE(queue.more);
    EXPECT_EQ(queue.errors.get(), call * 2 * kVectorMax);
  }
  close(flood);
}

TEST(TunRxQueue, AFloodWithoutBuffersDoesNotKeepTheWorker) {
  TestWorld world;
  const int flood = open("/dev/zero", O_RDONLY | O_CLOEXEC), silence = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  ASSERT_GE(flood, 0);
  std::vector<Packet*> taken;
  while (Packet* packet = world.worker().buffers().alloc()) taken.push_back(packet);
  std::array<Packet*, kVectorMax> packets;
  TunRxQueue loud(flood, {}), quiet(silence, {});
  EXPECT_EQ(loud.receive(world.worker(), packets), 0u);
  EXPECT_TRUE(loud.more);
  EXPECT_GT(loud.no_buffers.get(), 0u);
  EXPECT_EQ(quiet.receive(world.worker(), packets), 0u);
  EXPECT_FALSE(quiet.more);
  world.worker().buffers().free(taken);
  close(flood);
  close(silence);
}

}  // namespace
}  // namespace sluice
