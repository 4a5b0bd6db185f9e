// SPDX-License-Identifier: Apache-2.0
// What is said when an interface, its channels, its MTU, another program or the pool stand in the way.
#include "queue.h"
#include "veth_fixture.h"

namespace sluice::af_xdp {
namespace {

class OpeningTest : public VethTest {
 protected:
  Options options(std::optional<Mode> mode = {}) const {
    Options made;
    made.host_name = "near";
    made.namespace_path = ns->path();
    made.mode = mode;
    return made;
  }
  /// The device, or what was said instead.
  std::pair<std::unique_ptr<XdpDevice>, std::string> open(const Options& wanted) {
    auto opened = XdpDevice::open(wanted, world.pool(), denied);
    if (!opened.ok()) return {nullptr, text(opened.status())};
    return {std::move(*opened), ""};
  }
  void expect_refused(const Options& wanted, std::initializer_list<const char*> words) {
    const auto [device, said] = open(wanted);
    EXPECT_FALSE(device);
    for (const char* word : words) EXPECT_NE(said.find(word), std::string::npos) << said;
    ns->inside([] { EXPECT_EQ(program_on(static_cast<int>(if_nametoindex("near"))), ""); });
  }

  TestWorld world;
  DenyList denied;
};

TEST_F(OpeningTest, TakesTheFastestWayAndSaysWhyNoneIsFaster) {
  const auto [device, said] = open(options());
  ASSERT_TRUE(device) << said;
  const DeviceDetails details = device->details();
  EXPECT_EQ(details.rx[0].mode, "copy");
  EXPECT_NE(
      details.rx[0].reason.find("no zero copy: it needs the packet pool in hugepages, which lies in ordinary pages"),
      std::string::npos)
      << details.rx[0].reason;
  EXPECT_NE(device->info().detail.find("near"), std::string::npos);
  EXPECT_EQ(details.rx[0].ring, 512u) << "a quarter of the pool's 2,048 buffers";
}

TEST_F(OpeningTest, FallsBackToGenericWithTheReason) {
  // A peer that sends by more queues than this end receives by: the kernel refuses native XDP.
  ns->inside([] {
    EXPECT_EQ(std::system("ip link delete near && ip link add near numrxqueues 1 numtxqueues 1 type veth peer name far "
                          "numrxqueues 4 numtxqueues 4 && ip link set near up && ip link set far up"),
              0);
  });
  const auto [device, said] = open(options());
  ASSERT_TRUE(device) << said;
  EXPECT_EQ(device->details().rx[0].mode, "generic");
  const std::string reason = device->details().rx[0].reason;
  EXPECT_NE(reason.find("no native XDP: the veth's peer sends by more queues"), std::string::npos) << reason;
  EXPECT_NE(reason.find("nsenter --net=" + ns->path() + " ethtool -L near rx N"), std::string::npos) << reason;
}

TEST_F(OpeningTest, SendsByTheChannelsThatSend) {
  ns->inside([] {
    EXPECT_EQ(std::system("ip link delete near && ip link add near numrxqueues 4 numtxqueues 2 type veth peer name far "
                          "numrxqueues 2 numtxqueues 2 && ip link set near up && ip link set far up"),
              0);
  });
  const auto [device, said] = open(options());
  ASSERT_TRUE(device) << said;
  EXPECT_EQ(device->info().rx_queues, 4);
  EXPECT_EQ(device->info().tx_queues, 2);
  EXPECT_EQ(device->open_rx()->size(), 4u);
  EXPECT_EQ(device->open_tx()->size(), 2u);
  EXPECT_EQ(device->details().rx.size(), 4u);
  EXPECT_EQ(device->details().tx.size(), 2u);
  EXPECT_EQ(device->details().rx[3].ring, 128u);
}

TEST_F(OpeningTest, AModeThatCannotBeIsRefusedWithTheReason) {
  expect_refused(options(Mode::ZeroCopy), {"near", "no zero copy: it needs the packet pool in hugepages"});
}

struct TwoParts {
  struct Part {
    std::span<std::byte> region;
  };
  std::vector<std::byte> bytes = std::vector<std::byte>(1 << 20);
  std::size_t middle = 300000;  // of no stride's multiple
  std::span<std::byte> region() const { return {const_cast<std::byte*>(bytes.data()), bytes.size()}; }
  std::size_t parts() const { return 2; }
  Part part(std::size_t i) const { return {i == 0 ? region().first(middle) : region().subspan(middle)}; }
};

TEST(AfXdpPlaces, FindTheBufferOfEveryAddressInEachPart) {
  const TwoParts pool;
  const Places places(pool);
  const std::size_t first = pool.middle / kBufferStride;
  ASSERT_EQ(places.count(), first + (pool.bytes.size() - pool.middle) / kBufferStride);
  for (std::size_t buffer = 0; buffer < places.count(); ++buffer) {
    const std::uint64_t begin =
        buffer < first ? buffer * kBufferStride : pool.middle + (buffer - first) * kBufferStride;
    EXPECT_EQ(reinterpret_cast<const std::byte*>(places.packet(buffer)), pool.bytes.data() + begin + kMbufSize);
    for (const std::uint64_t at : {std::uint64_t{0}, std::uint64_t{512}, std::uint64_t{kBufferStride - 1}})
      EXPECT_EQ(places.buffer_of(begin + at), buffer);
  }
  EXPECT_EQ(places.buffer_of(pool.bytes.size()), places.count());
}

TEST_F(OpeningTest, WithHugepagesItIsTheDriverThatHasNoZeroCopy) {
  const auto pool = BufferPool::create({.buffers = 2048, .hugepages = true});
  ASSERT_TRUE(pool.ok());
  if (!(*pool)->on_hugepages()) GTEST_SKIP() << (*pool)->page_kind();
  ns->inside([&] {
    Wanted wanted{.where = "interface near", .interface = "near", .index = static_cast<int>(if_nametoindex("near"))};
    wanted.driver = "veth";
    wanted.ring = 64;
    const auto opened = open_queues(**pool, wanted, {});
    ASSERT_TRUE(opened.ok()) << text(opened.status());
    EXPECT_EQ(opened->queues[0].mode, Mode::Copy);
    EXPECT_EQ(opened->queues[0].reason, "no zero copy: driver veth has none");
  });
}

TEST_F(OpeningTest, ZeroCopyNeedsAnMtuThatFitsTheBuffersOfTheDevice) {
  const auto pool = BufferPool::create({.buffers = 2048, .hugepages = true});
  ASSERT_TRUE(pool.ok());
  if (!(*pool)->on_hugepages()) GTEST_SKIP() << (*pool)->page_kind();
  ns->inside([&] {
    Wanted wanted{.where = "interface near", .interface = "near", .index = static_cast<int>(if_nametoindex("near"))};
    wanted.driver = "veth";
    wanted.ring = 64;
    wanted.mtu = 9000;
    const auto opened = open_queues(**pool, wanted, {});
    ASSERT_TRUE(opened.ok()) << text(opened.status());
    EXPECT_EQ(opened->queues[0].mode, Mode::Copy);
    EXPECT_EQ(opened->queues[0].segments, kMostSegments);
    EXPECT_EQ(
        opened->queues[0].reason,
        "no zero copy: a frame of MTU 9000 is longer than the 1 buffer that the device takes; run: ip link set dev "
        "near mtu 2026");
  });
  ns->inside([&] {
    Wanted wanted{.where = "interface near", .interface = "near", .index = static_cast<int>(if_nametoindex("near"))};
    wanted.driver = "veth";
    wanted.ring = 64;
    wanted.mtu = 9000;
    wanted.zero_copy_segments = 5;
    const auto opened = open_queues(**pool, wanted, {});
    ASSERT_TRUE(opened.ok()) << text(opened.status());
    EXPECT_EQ(opened->queues[0].reason, "no zero copy: driver veth has none") << "it was tried";
  });
}

TEST_F(OpeningTest, TheKernelSaysHowManyBuffersADeviceTakesWithZeroCopy) {
  ns->inside([] {
    EXPECT_EQ(HostDevice::read("near").zero_copy_segments, 1u) << "a veth has no zero copy";
    EXPECT_EQ(HostDevice::read("eth77").zero_copy_segments, 1u);
  });
}

TEST_F(OpeningTest, ChannelsMustFit) {
  Options wanted = options();
  wanted.queues = 2;
  expect_refused(wanted,
                 {"it receives by 1 channel, and queues 2 was asked for", "ethtool -L near rx 2", "nsenter --net="});
}

TEST_F(OpeningTest, WithoutMultiBufferTheMtuHasALimitWithItsMend) {
  ns->inside([this] {
    Wanted wanted{.where = "interface near", .interface = "near", .index = static_cast<int>(if_nametoindex("near"))};
    wanted.mtu = 9000;
    wanted.ring = 64;
    wanted.multi_buffer = false;
    wanted.fastest = Mode::Copy;
    const auto opened = open_queues(world.pool(), wanted, {});
    ASSERT_FALSE(opened.ok());
    EXPECT_NE(text(opened.status()).find("its MTU is 9000"), std::string::npos) << text(opened.status());
    EXPECT_NE(text(opened.status()).find("ip link set dev near mtu 2026"), std::string::npos) << text(opened.status());
    wanted.mtu = kOneBufferMtu;
    const auto smaller = open_queues(world.pool(), wanted, {});
    ASSERT_TRUE(smaller.ok()) << text(smaller.status());
    EXPECT_EQ(smaller->mtu_max, kOneBufferMtu);
    EXPECT_EQ(smaller->queues[0].segments, 1u);
  });
}

TEST_F(OpeningTest, AnotherProgramsSocketIsNamed) {
  std::unique_ptr<Socket> other;
  const auto others = BufferPool::create({.buffers = 64, .hugepages = false});
  ns->inside([&] {
    int error = 0;
    other = Socket::open(**others, {.interface = "near", .queue = 0, .ring = 64}, error);
    ASSERT_EQ(error, 0);
  });
  expect_refused(options(), {"near", "queue 0 has an AF_XDP socket of another program"});
  other.reset();
  EXPECT_TRUE(open(options()).first) << "the queue is free a little later";
}

TEST_F(OpeningTest, APoolThatIsTooSmallIsNamed) {
  Options wanted = options();
  wanted.ring = 2048;
  expect_refused(wanted, {"ring 2048 for 1 queues takes 2048 buffers, and the pool has 2048", "raise buffers.count"});
  std::vector<Packet*> taken;
  while (Packet* packet = world.worker().buffers().alloc()) taken.push_back(packet);
  expect_refused(options(), {"512 buffers for each of 1 queues are not free in the pool"});
  world.worker().buffers().free(taken);
  const auto [device, said] = open(options());
  EXPECT_TRUE(device) << "the queue is free again: " << said;
}

TEST_F(OpeningTest, GivesBuffersBackWhenALaterQueueFindsNone) {
  ns->inside([] {
    EXPECT_EQ(std::system("ip link delete near && ip link add near numrxqueues 2 numtxqueues 2 type veth peer name far "
                          "numrxqueues 2 numtxqueues 2 && ip link set near up && ip link set far up"),
              0);
  });
  std::vector<Packet*> taken;
  while (Packet* packet = world.worker().buffers().alloc()) taken.push_back(packet);
  Options wanted = options();
  wanted.ring = 512;
  // As many as the first queue takes.
  while (world.pool().usage().available < wanted.ring && !taken.empty()) {
    world.worker().buffers().free(taken.back());
    taken.pop_back();
  }
  expect_refused(wanted, {"512 buffers for each of 2 queues are not free in the pool"});
  world.worker().buffers().free(taken);
  const auto [device, said] = open(wanted);
  EXPECT_TRUE(device) << said;
}

TEST_F(OpeningTest, NamesAnInterfaceThatIsMissingOrOfAnotherKind) {
  Options wanted = options();
  wanted.host_name = "eth77";
  expect_refused(wanted, {"eth77"});
  wanted.host_name = "lo";
  expect_refused(wanted, {"lo", "it carries no Ethernet frames"});
  wanted.namespace_path = "/run/netns/no-such";
  expect_refused(wanted, {"/run/netns/no-such"});
}

TEST(AfXdpOptions, SayInWhatTheyDiffer) {
  Options present;
  present.host_name = "eth0";
  Options wanted = present;
  EXPECT_EQ(differences(present, wanted), "");
  wanted.queues = 2;
  wanted.mode = Mode::Generic;
  EXPECT_EQ(differences(present, wanted), "queues 2 instead of 0, mode generic instead of auto");
}

}  // namespace
}  // namespace sluice::af_xdp
