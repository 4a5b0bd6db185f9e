// SPDX-License-Identifier: Apache-2.0
// Frames through a device on a veth, in the driver and in the kernel's stack.
#include <poll.h>

#include "queue.h"
#include "veth_fixture.h"

namespace sluice::af_xdp {
namespace {

class AfXdpTest : public VethTest, public ::testing::WithParamInterface<Mode> {
 protected:
  static constexpr std::uint32_t kRing = 256;

  void SetUp() override {
    VethTest::SetUp();
    if (!ns) return;
    auto opened = open();
    ASSERT_TRUE(opened.ok()) << text(opened.status());
    device = std::move(*opened);
    rx = *device->open_rx();
    tx = *device->open_tx();
    ASSERT_EQ(rx.size(), 1u);
    ASSERT_EQ(tx.size(), 1u);
  }
  void TearDown() override {
    rx.clear();
    tx.clear();
    device.reset();
    VethTest::TearDown();
  }

  StatusOr<std::unique_ptr<XdpDevice>> open() {
    Options options;
    options.host_name = "near";
    options.namespace_path = ns->path();
    options.ring = kRing;
    options.mode = GetParam();
    return XdpDevice::open(options, world.pool(), denied);
  }
  std::vector<Packet*> receive() {
    std::array<Packet*, kVectorMax> packets;
    const std::size_t n = rx[0]->receive(world.worker(), packets);
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
  void expect(const std::vector<Bytes>& wanted) {
    const auto packets = receive_all(wanted.size());
    ASSERT_EQ(packets.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(TestWorld::bytes_of(*packets[i]), wanted[i]);
    world.worker().buffers().free(packets);
  }
  std::size_t send(const std::vector<Packet*>& packets) { return tx[0]->transmit(world.worker(), packets); }
  std::vector<Packet*> all_buffers() {
    std::vector<Packet*> taken;
    while (Packet* packet = world.worker().buffers().alloc()) taken.push_back(packet);
    return taken;
  }
  std::uint64_t counter(std::string_view name) const {
    for (const DeviceCounter& each : device->counters()) {
      if (each.name == name) return each.value;
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }

  TestWorld world;
  DenyList denied;
  std::unique_ptr<XdpDevice> device;
  std::vector<std::unique_ptr<RxQueue>> rx;
  std::vector<std::unique_ptr<TxQueue>> tx;
};

INSTANTIATE_TEST_SUITE_P(Modes, AfXdpTest, ::testing::Values(Mode::Copy, Mode::Generic), [](const auto& info) {
  return info.param == Mode::Copy ? std::string("Copy") : std::string("Generic");
});

TEST_P(AfXdpTest, ReceivesFramesInOrderWhereEveryDriverPutsThem) {
  std::vector<Bytes> wanted;
  for (const std::size_t size : {60u, 61u, 1000u, 1514u, 2048u}) wanted.push_back(frame(size));
  for (const Bytes& bytes : wanted) send_far(bytes);
  const auto packets = receive_all(wanted.size());
  ASSERT_EQ(packets.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(TestWorld::bytes_of(*packets[i]), wanted[i]);
    EXPECT_EQ(packets[i]->headroom(), kHeadroom);
    EXPECT_EQ(packets[i]->flags, 0u) << "nobody has looked at its checksum";
  }
  world.worker().buffers().free(packets);
  EXPECT_TRUE(receive().empty());
  EXPECT_FALSE(rx[0]->more);
}

TEST_P(AfXdpTest, WakesTheWorker) {
  pollfd waiting{.fd = rx[0]->fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&waiting, 1, 0), 0);
  send_far(frame(60));
  EXPECT_EQ(poll(&waiting, 1, 10000), 1);
  expect({frame(60)});
}

TEST_P(AfXdpTest, ReceivesFramesOfSeveralBuffersAsChains) {
  for (const std::size_t size : {60u, 9014u, 61u, 2049u, 8192u}) send_far(frame(size));
  expect({frame(60), frame(9014), frame(61), frame(2049), frame(8192)});
}

TEST_P(AfXdpTest, KeepsTheFirstPartsOfAFrameThatIsNotWholeYet) {
  send_far(frame(9014));
  std::array<Packet*, 2> two;
  std::size_t n = 0;
  // A vector of two takes two of its five descriptors each time.
  for (int i = 0; i < 3 && n == 0; ++i) {
    n = rx[0]->receive(world.worker(), two);
    EXPECT_TRUE(n > 0 || rx[0]->more) << "it is asked again without an event";
  }
  ASSERT_EQ(n, 1u);
  EXPECT_EQ(TestWorld::bytes_of(*two[0]), frame(9014));
  world.worker().buffers().free(two[0]);
  send_far(frame(9014));
  EXPECT_EQ(rx[0]->receive(world.worker(), two), 0u);
  // The device goes while it has three parts: the world's leak check finds them given back.
}

TEST_P(AfXdpTest, GoesRoundTheRings) {
  for (std::size_t i = 0; i < 5 * kRing; ++i) {
    send_far(frame(60 + i % 100));
    if (i % 64 != 63) continue;
    const auto packets = receive_all(64);
    ASSERT_EQ(packets.size(), 64u);
    EXPECT_EQ(packets[63]->length, 60 + i % 100);
    EXPECT_EQ(send(packets), 64u);
    for (std::size_t j = 0; j < 64; ++j) EXPECT_EQ(receive_far().size(), 60 + (i - 63 + j) % 100);
  }
  EXPECT_EQ(device->rx_missed(), 0u);
  EXPECT_EQ(tx[0]->errors.get(), 0u);
}

TEST_P(AfXdpTest, SendsChainsByReferenceOrByCopy) {
  std::vector<Packet*> packets;
  std::vector<Bytes> wanted;
  for (const auto& [size, segment] :
       {std::pair<std::size_t, std::size_t>{9000, 2048}, {9000, 500}, {100, 50}, {9000, 100}, {1000, 1}}) {
    wanted.push_back(frame(size));
    packets.push_back(world.make(wanted.back(), segment));
    wanted.push_back(frame(60));
    packets.push_back(world.make(wanted.back()));
    if (packets.size() < 8) continue;
    EXPECT_EQ(send(packets), packets.size());
    packets.clear();
    for (const Bytes& bytes : wanted) EXPECT_EQ(receive_far(), bytes);
    wanted.clear();
  }
  EXPECT_EQ(send(packets), packets.size());
  for (const Bytes& bytes : wanted) EXPECT_EQ(receive_far(), bytes);
  EXPECT_EQ(tx[0]->errors.get(), 0u);
}

TEST_P(AfXdpTest, SendsWhatSeveralPacketsShare) {
  Packet* first = world.make(frame(4000), 2000);
  Packet* second = world.make(frame(100));
  second->next_segment = first->next_segment;
  second->chain_length += first->next_segment->length;
  share_segment(*first->next_segment);
  const Bytes wanted = TestWorld::bytes_of(*second);
  EXPECT_EQ(send({first, second}), 2u);
  EXPECT_EQ(receive_far(), frame(4000));
  EXPECT_EQ(receive_far(), wanted);
}

TEST_P(AfXdpTest, SendsWhatLiesInOtherMemory) {
  Bytes bytes = frame(300);
  Packet* packet = world.make(frame(60));
  packet->data = reinterpret_cast<std::byte*>(bytes.data());
  packet->length = 300;
  packet->chain_length = 300;
  EXPECT_EQ(send({packet}), 1u);
  EXPECT_EQ(receive_far(), bytes);
}

TEST_P(AfXdpTest, CountsWhatIsTooLongOrEmptyAndSendsTheRest) {
  Packet* empty = world.make(frame(60));
  empty->trim(0);
  Packet* empty_chain = world.make(frame(60), 30);
  empty_chain->length = 0;
  empty_chain->next_segment->length = 0;
  empty_chain->chain_length = 0;
  EXPECT_EQ(send({world.make(frame(60)), world.make(frame(kMostSegments * kSegmentSize + 1)), empty, empty_chain,
                  world.make(frame(61))}),
            5u);
  EXPECT_EQ(tx[0]->errors.get(), 3u);
  EXPECT_EQ(receive_far(), frame(60));
  EXPECT_EQ(receive_far(), frame(61));
}

TEST_P(AfXdpTest, CountsAChainThatFindsNoBuffersForItsCopy) {
  Packet* chain = world.make(frame(2000), 100);
  const auto taken = all_buffers();
  EXPECT_EQ(send({chain}), 1u);
  EXPECT_EQ(tx[0]->errors.get(), 1u);
  world.worker().buffers().free(taken);
}

TEST_P(AfXdpTest, ReceivesAgainAfterThePoolWasEmpty) {
  const auto taken = all_buffers();
  std::vector<Packet*> held;
  // The kernel has kRing buffers, and this test keeps what comes in them.
  for (std::size_t i = 0; i < kRing + 50; ++i) {
    send_far(frame(60));
    for (Packet* packet : receive()) held.push_back(packet);
  }
  EXPECT_EQ(held.size(), kRing);
  EXPECT_TRUE(receive().empty());
  EXPECT_TRUE(rx[0]->more) << "nothing would wake the worker";
  EXPECT_EQ(device->rx_missed(), 50u);
  EXPECT_GE(counter("no-fill-buffer"), 50u);
  world.worker().buffers().free(held);
  world.worker().buffers().free(taken);
  EXPECT_TRUE(receive().empty());
  EXPECT_FALSE(rx[0]->more);
  send_far(frame(61));
  expect({frame(61)});
}

TEST_P(AfXdpTest, CountsDescriptorsOfBuffersThatTheKernelWasNotLent) {
  rx.clear();
  tx.clear();
  device.reset();
  ns->inside([this] {
    int error = EBUSY;
    std::shared_ptr<Socket> socket;
    wait_for([&] {
      socket = Socket::open(world.pool(), {.interface = "near", .ring = 64}, error);
      return error != EBUSY;
    });
    ASSERT_EQ(error, 0);
    // What the kernel would write.
    const std::uint64_t size = world.pool().region().size();
    auto* ring = static_cast<xdp_desc*>(socket->rx.ring);
    ring[0] = {.addr = size, .len = 60, .options = 0};
    ring[1] = {.addr = (std::uint64_t{1} << 48) - 1, .len = 60, .options = 0};
    ring[2] = {.addr = 512, .len = 60, .options = 0};
    __atomic_store_n(socket->rx.producer, 3u, __ATOMIC_RELEASE);
    XdpRxQueue queue(socket, world.pool());
    std::array<Packet*, 4> packets;
    EXPECT_EQ(queue.receive(world.worker(), packets), 0u);
    EXPECT_EQ(queue.errors.get(), 3u);
    EXPECT_TRUE(queue.more) << "there may be good ones behind them";
  });
}

TEST_P(AfXdpTest, CountsWhatFoundNoRoomInTheRing) {
  EXPECT_EQ(device->rx_missed(), 0u);
  for (std::size_t i = 0; i < kRing + 100; ++i) send_far(frame(60));
  EXPECT_EQ(device->rx_missed(), 100u);
  world.worker().buffers().free(receive_all(kRing));
}

TEST_P(AfXdpTest, KeepsWhatCannotBeSentUntilTheLinkIsUpAgain) {
  const auto netlink = host::Netlink::open(ns->path());
  ASSERT_TRUE(netlink->set_up("near", false).ok());
  std::vector<Packet*> packets;
  for (std::size_t i = 0; i < kRing + 10; ++i) packets.push_back(world.make(frame(60 + i)));
  const std::size_t took = send(packets);
  EXPECT_EQ(took, kRing) << "a full ring takes no more";
  world.worker().buffers().free(std::span<Packet* const>(packets).subspan(took));
  EXPECT_FALSE(device->carrier());
  EXPECT_TRUE(device->check().ok()) << "it may come back";
  ASSERT_TRUE(netlink->set_up("near", true).ok());
  wait_for([&] { return device->carrier(); });
  EXPECT_TRUE(device->check().ok());
  EXPECT_EQ(receive_far(), frame(60)) << "check() has the kernel go on";
}

TEST_P(AfXdpTest, NoticesThatTheInterfaceIsGone) {
  EXPECT_TRUE(device->check().ok());
  EXPECT_TRUE(device->carrier());
  ASSERT_TRUE(host::Netlink::open(ns->path())->delete_link("far").ok());
  EXPECT_FALSE(device->check().ok());
  EXPECT_FALSE(device->carrier());
  EXPECT_TRUE(receive().empty());
  EXPECT_EQ(send({world.make(frame(60))}), 1u);
}

TEST_P(AfXdpTest, ASecondDeviceIsRefusedAndTheFirstWorksOn) {
  const auto second = open();
  ASSERT_FALSE(second.ok());
  EXPECT_NE(text(second.status()).find("another XDP program is there (id "), std::string::npos)
      << text(second.status());
  EXPECT_NE(text(second.status()).find("sluice_filter"), std::string::npos) << text(second.status());
  send_far(frame(60));
  expect({frame(60)});
}

TEST_P(AfXdpTest, CanBeMadeAgainAtOnce) {
  for (int i = 0; i < 5; ++i) {
    rx.clear();
    tx.clear();
    device.reset();
    auto again = open();
    ASSERT_TRUE(again.ok()) << text(again.status());
    device = std::move(*again);
    rx = *device->open_rx();
    tx = *device->open_tx();
    send_far(frame(60));
    expect({frame(60)});
  }
}

TEST_P(AfXdpTest, SaysHowItServesItsQueues) {
  const DeviceDetails details = device->details();
  ASSERT_EQ(details.rx.size(), 1u);
  ASSERT_EQ(details.tx.size(), 1u);
  const bool copy = GetParam() == Mode::Copy;
  EXPECT_EQ(details.rx[0].mode, copy ? "copy" : "generic");
  EXPECT_EQ(details.tx[0].mode, details.rx[0].mode);
  EXPECT_EQ(details.rx[0].reason, copy ? "no zero copy: copy was asked for" : "no native XDP: generic was asked for");
  EXPECT_EQ(details.rx[0].ring, kRing);
  EXPECT_EQ(details.rx[0].counters.front().name, "ring-full");
  EXPECT_EQ(device->info().offloads, Offloads{});
}

}  // namespace
}  // namespace sluice::af_xdp
