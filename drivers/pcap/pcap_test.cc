// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pcap/pcap.h>
#include <sluice/clock.h>
#include <sluice/testing/test_world.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "device.h"

namespace sluice::pcap {
namespace {

using testing::Bytes;
using testing::TestWorld;

class PcapTest : public ::testing::Test {
 protected:
  PcapTest() { std::filesystem::create_directory(folder); }
  ~PcapTest() override { std::filesystem::remove_all(folder); }
  std::string path(const char* name) const { return folder / name; }
  /// A file written by libpcap itself.
  std::string file(const char* name, const std::vector<Bytes>& packets, int type = DLT_EN10MB, unsigned cut = 0) {
    ::pcap* handle = pcap_open_dead(type, 65535);
    pcap_dumper_t* dumper = pcap_dump_open(handle, path(name).c_str());
    for (const Bytes& bytes : packets) {
      pcap_pkthdr header{};
      header.len = static_cast<bpf_u_int32>(bytes.size());
      header.caplen = header.len - cut;
      pcap_dump(reinterpret_cast<unsigned char*>(dumper), &header, bytes.data());
    }
    pcap_dump_close(dumper);
    pcap_close(handle);
    return path(name);
  }
  std::unique_ptr<PcapDevice> open(const Options& options) {
    auto device = PcapDevice::open(options);
    EXPECT_TRUE(device.ok()) << text(device.status());
    return device.ok() ? std::move(*device) : nullptr;
  }
  std::vector<Bytes> receive(RxQueue& queue) {
    world.worker().set_now(tsc());
    std::array<Packet*, kVectorMax> packets;
    const std::size_t n = queue.receive(world.worker(), packets);
    std::vector<Bytes> bytes;
    for (std::size_t i = 0; i < n; ++i) bytes.push_back(TestWorld::bytes_of(*packets[i]));
    world.worker().buffers().free(std::span<Packet* const>(packets.data(), n));
    return bytes;
  }

  const std::filesystem::path folder = std::filesystem::temp_directory_path() / fmt::format("sluice-pcap-{}", getpid());
  TestWorld world;
};

const std::vector<Bytes> kThree{Bytes(60, 1), Bytes(1514, 2), Bytes(9014, 3)};

TEST_F(PcapTest, ReceivesTheFileOnceTheInterfaceIsUp) {
  const auto device = open({.receive = file("in.pcap", kThree)});
  const auto rx = *device->open_rx();
  EXPECT_EQ(device->info().link, LinkLayer::Ethernet);
  EXPECT_TRUE(receive(*rx[0]).empty());
  device->begin();
  EXPECT_EQ(receive(*rx[0]), kThree);
  EXPECT_TRUE(receive(*rx[0]).empty());
}

TEST_F(PcapTest, ReceivesTheFileAsOftenAsAsked) {
  const auto device = open({.receive = file("in.pcap", kThree), .loop = 100});
  const auto rx = *device->open_rx();
  device->begin();
  EXPECT_EQ(receive(*rx[0]).size(), 256u);
  const auto rest = receive(*rx[0]);
  ASSERT_EQ(rest.size(), 44u);
  EXPECT_EQ(rest.back(), kThree[2]);
}

TEST_F(PcapTest, TakesRawIpAsAnInterfaceWithoutALinkLayer) {
  EXPECT_EQ(open({.receive = file("in.pcap", kThree, DLT_RAW)})->info().link, LinkLayer::Ip);
}

TEST_F(PcapTest, WritesWhatIsSent) {
  {
    const auto device = open({.send = path("out.pcap")});
    EXPECT_TRUE(device->open_rx()->empty());
    const auto tx = *device->open_tx();
    EXPECT_TRUE(Capture::read(path("out.pcap"))->packets.empty()) << "a capture from the beginning";
    std::vector<Packet*> packets;
    for (const Bytes& bytes : kThree) packets.push_back(world.make(bytes, 700));
    EXPECT_EQ(tx[0]->transmit(world.worker(), packets), 3u);
    EXPECT_EQ(tx[0]->errors.get(), 0u);
    // Before anything is closed.
    EXPECT_EQ(Capture::read(path("out.pcap"))->packets.size(), 3u);
  }
  const auto capture = Capture::read(path("out.pcap"));
  ASSERT_TRUE(capture.ok());
  for (std::size_t i = 0; i < 3; ++i) {
    const auto [offset, length] = capture->packets[i];
    const auto* at = reinterpret_cast<const std::uint8_t*>(capture->bytes.data()) + offset;
    EXPECT_EQ(Bytes(at, at + length), kThree[i]);
  }
}

TEST_F(PcapTest, LeavesPacketsOutThatTheCaptureHasCut) {
  const auto device = open({.receive = file("in.pcap", kThree, DLT_EN10MB, 10)});
  EXPECT_EQ(device->counters()[1].value, 3u);
  const auto rx = *device->open_rx();
  device->begin();
  EXPECT_TRUE(receive(*rx[0]).empty());
}

TEST_F(PcapTest, CountsPacketsWithoutBuffers) {
  const auto device = open({.receive = file("in.pcap", kThree)});
  const auto rx = *device->open_rx();
  device->begin();
  std::vector<Packet*> taken;
  while (Packet* packet = world.worker().buffers().alloc()) taken.push_back(packet);
  for (int i = 0; i < 2; ++i) {
    world.worker().buffers().free(taken.back());
    taken.pop_back();
  }
  EXPECT_EQ(receive(*rx[0]).size(), 2u) << "the third needs five buffers";
  EXPECT_EQ(rx[0]->no_buffers.get(), 1u);
  world.worker().buffers().free(taken);
}

TEST_F(PcapTest, GoesOnWhenThereAreBuffersAgain) {
  const auto device = open({.receive = file("in.pcap", kThree), .loop = 100});
  const auto rx = *device->open_rx();
  device->begin();
  std::vector<Packet*> taken;
  while (Packet* packet = world.worker().buffers().alloc()) taken.push_back(packet);
  EXPECT_TRUE(receive(*rx[0]).empty());
  EXPECT_TRUE(rx[0]->more) << "there is no other event to make the worker ask again";
  world.worker().buffers().free(taken);
  EXPECT_EQ(receive(*rx[0]).size(), 44u);
  EXPECT_TRUE(receive(*rx[0]).empty());
  EXPECT_FALSE(rx[0]->more);
}

TEST_F(PcapTest, NamesAFileThatIsMissingOrNoCapture) {
  const auto missing = PcapDevice::open({.receive = path("none.pcap")});
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_NE(text(missing.status()).find("none.pcap"), std::string::npos);
  std::ofstream(path("text.pcap")) << "these are not packets, only words in a file";
  EXPECT_FALSE(PcapDevice::open({.receive = path("text.pcap")}).ok());
  EXPECT_FALSE(PcapDevice::open({.send = path("no/such/folder.pcap")}).ok());
  EXPECT_FALSE(PcapDevice::open({.send = "/dev/full"}).ok());
}

TEST(PcapOptions, SayInWhatTheyDiffer) {
  const Options present{.receive = "/tmp/a.pcap", .send = {}};
  EXPECT_EQ(differences(present, present), "");
  const Options wanted{.receive = {},
                       .send = "/tmp/b.pcap",
                       .loop = 2,
                       .rate = 5,
                       .layer3 = true,
                       .mac = MacAddress{{2, 0, 0, 0, 0, 9}}};
  EXPECT_EQ(
      differences(present, wanted),
      "receive none instead of /tmp/a.pcap, send /tmp/b.pcap instead of none, loop 2 instead of 1, rate 5 instead "
      "of 0, layer3 yes instead of no, mac 02:00:00:00:00:09 instead of 02:00:00:00:00:01");
}

TEST_F(PcapTest, DoesNotWaitForTheOtherEndOfAFifo) {
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(PcapDevice::open({.receive = path("fifo")}).status()));
  const int reader = ::open(path("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  EXPECT_TRUE(absl::IsInvalidArgument(PcapDevice::open({.send = path("fifo")}).status()));
  close(reader);
}

TEST_F(PcapTest, RefusesAFileThatEndsInAPacket) {
  const std::string name = file("in.pcap", kThree);
  std::filesystem::resize_file(name, std::filesystem::file_size(name) - 100);
  const auto device = PcapDevice::open({.receive = name});
  EXPECT_TRUE(absl::IsInvalidArgument(device.status())) << text(device.status());
}

TEST_F(PcapTest, RefusesOtherLinkTypes) {
  const auto device = PcapDevice::open({.receive = file("in.pcap", kThree, DLT_LINUX_SLL)});
  EXPECT_TRUE(absl::IsInvalidArgument(device.status()));
  EXPECT_NE(text(device.status()).find("LINUX_SLL"), std::string::npos);
}

}  // namespace
}  // namespace sluice::pcap
