// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "capture.h"
#include "sluice/clock.h"
#include "sluice/testing/test_world.h"
#include "stream_queue.h"
#include "template.h"

namespace sluice::pg {
namespace {

using testing::Bytes;
using testing::TestWorld;

std::shared_ptr<const Packets> udp(std::string_view size = "100") {
  auto made = parse_stream("ip4 src 10.0.0.1 dst 10.0.0.2 / udp sport 1-200", size);
  EXPECT_TRUE(made.ok());
  return *made;
}

struct QueueTest : ::testing::Test {
  std::size_t receive(StreamQueue& queue, std::size_t room = kVectorMax) {
    std::array<Packet*, kVectorMax> packets;
    const std::size_t n = queue.receive(world.worker(), std::span(packets).first(room));
    for (std::size_t i = 0; i < n; ++i) {
      arrived.push_back(TestWorld::bytes_of(*packets[i]));
      last_out = packets[i]->tx_interface;
      world.worker().buffers().free(packets[i]);
    }
    return n;
  }
  static std::shared_ptr<StreamQueue> queue_of(std::shared_ptr<const Packets> packets, Pace pace,
                                               InterfaceIndex out = {}) {
    auto made = StreamQueue::create(std::move(packets), pace, out);
    EXPECT_TRUE(made.ok());
    (*made)->done_message = ControlMessage::of(7, std::uint32_t{42});
    return *made;
  }

  TestWorld world{{}, 512};
  std::vector<Bytes> arrived;
  InterfaceIndex last_out;
};

TEST_F(QueueTest, SendsItsCountInOrderAndSaysThatItIsThrough) {
  const auto queue = queue_of(udp(), {.count = 300});
  EXPECT_EQ(receive(*queue), 256u);
  EXPECT_EQ(receive(*queue), 44u);
  ControlMessage message;
  EXPECT_FALSE(world.worker().messages().pop(message));
  EXPECT_EQ(receive(*queue), 0u);
  EXPECT_EQ(receive(*queue), 0u);
  EXPECT_TRUE(queue->through());
  ASSERT_TRUE(world.worker().messages().pop(message));
  EXPECT_EQ(message.kind, 7u);
  EXPECT_EQ(message.as<std::uint32_t>(), 42u);
  EXPECT_FALSE(world.worker().messages().pop(message)) << "said twice";
  ASSERT_EQ(arrived.size(), 300u);
  for (std::size_t i = 0; i < arrived.size(); ++i) EXPECT_EQ(arrived[i][21], 1 + i % 200) << "source port of " << i;
  EXPECT_EQ(queue->sent.get(), 300u);
  EXPECT_EQ(queue->bytes.get(), 30000u);
}

TEST_F(QueueTest, KeepsItsRate) {
  const auto queue = queue_of(udp(), {.rate = 1000});
  const std::uint64_t start = tsc();
  const std::uint64_t ms = ns_to_tsc(1'000'000);
  world.worker().set_now(start);
  EXPECT_EQ(receive(*queue), 1u);
  EXPECT_EQ(receive(*queue), 0u);
  world.worker().set_now(start + 10 * ms);
  EXPECT_EQ(receive(*queue), 10u);
  EXPECT_EQ(receive(*queue), 0u);
  world.worker().set_now(start + 1000 * ms);
  while (receive(*queue) != 0) continue;
  EXPECT_EQ(queue->sent.get(), 1001u);
}

TEST_F(QueueTest, ItsTimerWakesTheWorkerAgainAndAgain) {
  const auto queue = queue_of(udp(), {.rate = 1000});
  for (int i = 0; i < 3; ++i) {
    pollfd wait{queue->fd(), POLLIN, 0};
    ASSERT_EQ(poll(&wait, 1, 10'000), 1);
    world.worker().set_now(tsc());
    while (receive(*queue) != 0) continue;
    ASSERT_EQ(poll(&wait, 1, 0), 0) << "still readable: the timer was not read";
  }
}

TEST_F(QueueTest, SendsWhatBuffersThereAreAndCountsThatTheyRanOut) {
  const auto queue = queue_of(udp(), {});
  std::vector<Packet*> taken;
  while (Packet* packet = world.worker().buffers().alloc()) taken.push_back(packet);
  EXPECT_EQ(receive(*queue), 0u);
  EXPECT_EQ(queue->no_buffers.get(), 1u);
  for (int i = 0; i < 3; ++i) {
    world.worker().buffers().free(taken.back());
    taken.pop_back();
  }
  std::array<Packet*, kVectorMax> packets;
  EXPECT_EQ(queue->receive(world.worker(), packets), 3u);
  EXPECT_EQ(queue->no_buffers.get(), 2u);
  EXPECT_EQ(queue->sent.get(), 3u);
  world.worker().buffers().free(std::span<Packet* const>(packets.data(), 3));
  world.worker().buffers().free(taken);
}

TEST_F(QueueTest, NamesTheInterfaceThatSends) {
  const InterfaceIndex out(5, 1);
  const auto queue = queue_of(udp(), {.count = 1}, out);
  EXPECT_EQ(receive(*queue), 1u);
  EXPECT_EQ(last_out, out);
}

TEST_F(QueueTest, SpreadsLongPacketsOverSegmentsAndLeaksNoneWhenBuffersRunOut) {
  const auto packets = udp("9000");
  const auto queue = queue_of(packets, {.count = 1});
  EXPECT_EQ(receive(*queue), 1u);
  const auto& t = static_cast<const Template&>(*packets);
  const auto bytes = t.bytes_of(0);
  ASSERT_EQ(arrived.front().size(), 9000u);
  EXPECT_EQ(std::memcmp(arrived.front().data(), bytes.data(), bytes.size()), 0);

  std::vector<Packet*> taken;
  while (Packet* packet = world.worker().buffers().alloc()) taken.push_back(packet);
  for (int i = 0; i < 3; ++i) {
    world.worker().buffers().free(taken.back());
    taken.pop_back();
  }
  EXPECT_EQ(receive(*queue_of(packets, {})), 0u);
  world.worker().buffers().free(taken);
}

TEST_F(QueueTest, OffsetsOfTheHeadersAreKnown) {
  const auto made = parse_stream("ethernet src 02::1 dst 02::2 / ip4 src 10.0.0.1 dst 10.0.0.2 / udp", "");
  ASSERT_TRUE(made.ok());
  Packet* packet = nullptr;
  ASSERT_EQ((*made)->make(world.worker(), 0, std::span(&packet, 1)), 1u);
  EXPECT_EQ(packet->at(packet->l2_offset), packet->data);
  EXPECT_EQ(packet->at(packet->l3_offset), packet->data + 14);
  EXPECT_EQ(packet->at(packet->l4_offset), packet->data + 34);
  world.worker().buffers().free(packet);
}

// A capture file made here byte by byte: magic, version 2.4, snap length, link type, then packets.
class File {
 public:
  explicit File(std::uint32_t link_type) {
    path_ = std::filesystem::temp_directory_path() / fmt::format("pg_queue_test.{}.pcap", getpid());
    for (const std::uint32_t word : {0xa1b2c3d4u, 0x00040002u, 0u, 0u, 65535u, link_type}) put(word);
  }
  ~File() { std::filesystem::remove(path_); }
  File& packet(const Bytes& bytes, std::uint32_t says) {
    for (const std::uint32_t word : {1u, 2u, says, says}) put(word);
    content_.insert(content_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  std::string path() {
    std::ofstream(path_, std::ios::binary).write(content_.data(), static_cast<std::streamsize>(content_.size()));
    return path_;
  }

 private:
  void put(std::uint32_t word) {
    content_.insert(content_.end(), reinterpret_cast<char*>(&word), reinterpret_cast<char*>(&word) + 4);
  }
  std::filesystem::path path_;
  std::string content_;
};

TEST_F(QueueTest, ReplaysACaptureOnceOrAsOftenAsAsked) {
  File file(1);
  file.packet({1, 2, 3}, 3).packet({4}, 1);
  const auto capture = Capture::read(file.path());
  ASSERT_TRUE(capture.ok()) << text(capture.status());
  EXPECT_EQ((*capture)->link, LinkLayer::Ethernet);
  EXPECT_EQ((*capture)->natural_count, 2u);
  const auto queue = queue_of(*capture, {.count = 3});
  EXPECT_EQ(receive(*queue), 3u);
  EXPECT_EQ(arrived, (std::vector<Bytes>{{1, 2, 3}, {4}, {1, 2, 3}}));
}

TEST(Capture, TakesRawIpAndRefusesOtherLinkTypes) {
  EXPECT_EQ((*Capture::read(File(101).packet({0x45}, 1).path()))->link, LinkLayer::Ip);
  File wireless(105);
  const std::string path = wireless.packet({1}, 1).path();
  EXPECT_EQ(text(Capture::read(path).status()),
            "pcap " + path + ": its link type is IEEE802_11; must be EN10MB (Ethernet) or RAW (IP)");
}

TEST(Capture, RefusesFilesThatAreMissingEmptyTruncatedOrHostile) {
  EXPECT_EQ(text(Capture::read("/nowhere/x.pcap").status()),
            "/nowhere/x.pcap: No such file or directory; give the path of another");
  EXPECT_NE(text(Capture::read("/dev/zero").status()).find("name a regular file"), std::string::npos);
  File empty(1);
  const std::string path = empty.path();
  EXPECT_EQ(text(Capture::read(path).status()), "pcap " + path + ": there is no packet in it");
  EXPECT_TRUE(text(Capture::read(File(1).packet({1, 2}, 100).path()).status()).find("truncated") != std::string::npos);
  EXPECT_FALSE(Capture::read(File(1).packet({1, 2}, 0xffffffff).path()).ok());
  EXPECT_FALSE(Capture::read("/proc/self/exe").ok());
}

}  // namespace
}  // namespace sluice::pg
