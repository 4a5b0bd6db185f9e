// SPDX-License-Identifier: Apache-2.0
#include "sluice/vnet_header.h"

#include <gtest/gtest.h>
#include <sluice/testing/test_world.h>

namespace sluice {
namespace {

using testing::Bytes;

constexpr std::uint16_t kTcp = 16, kUdp = 6;

// An IPv4 header of 20 bytes, a TCP header of 20, a payload.
Bytes tcp4(std::size_t payload, std::uint8_t tcp_words = 5) {
  Bytes bytes(40 + payload);
  bytes[0] = 0x45;
  bytes[9] = 6;
  bytes[32] = static_cast<std::uint8_t>(tcp_words << 4);
  return bytes;
}

class VnetHeaderTest : public ::testing::Test {
 protected:
  ~VnetHeaderTest() override {
    if (packet) world.worker().buffers().free(packet);
  }
  bool apply(const VnetHeader& header, const Bytes& bytes) {
    if (packet) world.worker().buffers().free(packet);
    packet = world.make(bytes);
    return apply_vnet_header(header, *packet);
  }
  testing::TestWorld world;
  Packet* packet = nullptr;
};

TEST_F(VnetHeaderTest, LeavesAPlainPacketAlone) {
  EXPECT_TRUE(apply({}, tcp4(0)));
  EXPECT_EQ(packet->flags, 0u);
}

TEST_F(VnetHeaderTest, TakesAVerifiedChecksum) {
  EXPECT_TRUE(apply({.flags = VnetHeader::kDataValid}, tcp4(0)));
  EXPECT_EQ(packet->flags, std::uint32_t{kChecksumValid});
}

TEST_F(VnetHeaderTest, CarriesAPartialChecksumBothWays) {
  const VnetHeader in{.flags = VnetHeader::kNeedsChecksum, .checksum_start = 20, .checksum_offset = kTcp};
  ASSERT_TRUE(apply(in, tcp4(10)));
  EXPECT_TRUE(packet->has(kChecksumPartial));
  EXPECT_EQ(packet->checksum_start, packet->offset() + 20);
  const VnetHeader out = make_vnet_header(*packet);
  EXPECT_EQ(out.flags, VnetHeader::kNeedsChecksum);
  EXPECT_EQ(out.checksum_start, 20);
  EXPECT_EQ(out.checksum_offset, kTcp);
}

// By Scapy: IP / SCTP(sport=5000, dport=6000, tag=0x01020304) / SCTPChunkData(data=b"sluice carries this as it is",
// tsn=9, stream_id=1, stream_seq=2, proto_id=3).
Bytes bytes_of_hex(std::string_view hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}
constexpr std::string_view kSctp =
    "13881770010203042881ac7e0000002c000000090001000200000003736c7569636520636172726965732074686973206173206974206973";
constexpr std::string_view kIp4 = "4500004c00070000408466250a0000010a000002";
constexpr std::string_view kIp4Options = "4600005000070000408400000a0000010a00000201010101";
constexpr std::string_view kIp6 = "6000000000388440fd000000000000000000000000000001fd000000000000000000000000000002";
constexpr std::string_view kEthernet = "0200000000010200000000020800";

TEST_F(VnetHeaderTest, MakesTheChecksumOfSctpWhichIsNoneOfTheInternets) {
  for (const std::string_view ip : {kIp4, kIp4Options, kIp6}) {
    for (const std::string_view link : {std::string_view(), kEthernet}) {
      for (const std::size_t segment : {std::size_t{80}, std::size_t{2048}}) {
        const Bytes wanted = bytes_of_hex(std::string(link) + std::string(ip) + std::string(kSctp) + "00ff");
        const std::size_t start = (link.size() + ip.size()) / 2;
        Bytes bytes = wanted;  // with two bytes of padding behind it
        for (std::size_t i = 0; i < 4; ++i) bytes[start + 8 + i] = 0x55;
        if (packet) world.worker().buffers().free(packet);
        packet = world.make(bytes, segment);
        const VnetHeader header{.flags = VnetHeader::kNeedsChecksum,
                                .checksum_start = static_cast<std::uint16_t>(start),
                                .checksum_offset = 8};
        ASSERT_TRUE(apply_vnet_header(header, *packet));
        EXPECT_EQ(packet->flags, std::uint32_t{kChecksumValid});
        EXPECT_EQ(testing::TestWorld::bytes_of(*packet), wanted);
      }
    }
  }
}

TEST_F(VnetHeaderTest, LeavesWhatIsNotSctpOrCutToTheInternetsChecksum) {
  const Bytes good = bytes_of_hex(std::string(kIp4) + std::string(kSctp));
  const VnetHeader header{.flags = VnetHeader::kNeedsChecksum, .checksum_start = 20, .checksum_offset = 8};
  const auto left = [&](std::size_t at, std::uint8_t value) {
    Bytes bytes = good;
    bytes[at] = value;
    EXPECT_TRUE(apply(header, bytes));
    EXPECT_EQ(testing::TestWorld::bytes_of(*packet), bytes);
    return packet->has(kChecksumPartial);
  };
  EXPECT_TRUE(left(9, 6)) << "another protocol";
  EXPECT_TRUE(left(0, 0x46)) << "the header ends elsewhere";
  EXPECT_TRUE(left(0, 0x65)) << "another version";
  EXPECT_TRUE(left(2, 1)) << "longer than it is";
  EXPECT_TRUE(left(3, 31)) << "shorter than SCTP's header";

  for (std::size_t size = 0; size < good.size(); ++size)
    (void)apply(header, Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)));
}

TEST_F(VnetHeaderTest, KeepsTheChecksumTrueBehindANewLinkHeader) {
  ASSERT_TRUE(apply({.flags = VnetHeader::kNeedsChecksum, .checksum_start = 20, .checksum_offset = kUdp}, tcp4(0)));
  packet->push(14);
  EXPECT_EQ(make_vnet_header(*packet).checksum_start, 34);
}

TEST_F(VnetHeaderTest, CarriesASuperPacketBothWays) {
  const VnetHeader in{VnetHeader::kNeedsChecksum, static_cast<std::uint8_t>(GsoType::Tcp4), 40, 1448, 20, kTcp};
  ASSERT_TRUE(apply(in, tcp4(30000)));
  EXPECT_TRUE(packet->has(kGso));
  EXPECT_EQ(packet->gso_type, GsoType::Tcp4);
  EXPECT_EQ(packet->gso_size, 1448);
  const VnetHeader out = make_vnet_header(*packet);
  EXPECT_EQ(out.gso_type, static_cast<std::uint8_t>(GsoType::Tcp4));
  EXPECT_EQ(out.gso_size, 1448);
  EXPECT_EQ(out.header_length, 40);
}

TEST_F(VnetHeaderTest, ReadsTheEcnBitFromTheTcpHeader) {
  Bytes bytes = tcp4(30000);
  bytes[33] = 0x80;
  const VnetHeader in{VnetHeader::kNeedsChecksum, VnetHeader::kEcn | 1, 0, 1448, 20, kTcp};
  ASSERT_TRUE(apply(in, bytes));
  EXPECT_EQ(packet->gso_type, GsoType::Tcp4);
  EXPECT_EQ(make_vnet_header(*packet).gso_type, VnetHeader::kEcn | 1);
}

TEST_F(VnetHeaderTest, TreatsOneSegmentAsAnOrdinaryPacket) {
  const VnetHeader in{VnetHeader::kNeedsChecksum, 1, 40, 1448, 20, kTcp};
  ASSERT_TRUE(apply(in, tcp4(1448)));
  EXPECT_FALSE(packet->has(kGso));
  EXPECT_TRUE(packet->has(kChecksumPartial));
}

TEST_F(VnetHeaderTest, RefusesAChecksumBehindTheFirstSegment) {
  EXPECT_FALSE(apply({.flags = 1, .checksum_start = 39, .checksum_offset = 0}, tcp4(0)));
  EXPECT_FALSE(apply({.flags = 1, .checksum_start = 0xffff, .checksum_offset = 0xffff}, tcp4(0)));
  EXPECT_FALSE(apply({.flags = 1, .checksum_start = 3000, .checksum_offset = kTcp}, tcp4(10000)));
  EXPECT_TRUE(apply({.flags = 1, .checksum_start = 38, .checksum_offset = 0}, tcp4(0)));
}

TEST_F(VnetHeaderTest, RefusesUnknownSegmentation) {
  for (const int type : {2, 3, 6, 7, 0x20, 0x40, 0x7f}) {
    EXPECT_FALSE(apply({1, static_cast<std::uint8_t>(type), 40, 1448, 20, kTcp}, tcp4(5000))) << type;
  }
}

TEST_F(VnetHeaderTest, RefusesSegmentsOfNothing) { EXPECT_FALSE(apply({1, 1, 40, 0, 20, kTcp}, tcp4(5000))); }

TEST_F(VnetHeaderTest, RefusesSegmentationWithoutAChecksumToMake) {
  EXPECT_FALSE(apply({0, 1, 40, 1448, 20, kTcp}, tcp4(5000)));
}

TEST_F(VnetHeaderTest, RefusesAChecksumFieldOfAnotherProtocol) {
  EXPECT_FALSE(apply({1, 1, 40, 1448, 20, kUdp}, tcp4(5000)));
  EXPECT_FALSE(apply({1, 5, 28, 1448, 20, kTcp}, tcp4(5000)));
  EXPECT_TRUE(apply({1, 5, 28, 1448, 20, kUdp}, tcp4(5000)));
}

TEST_F(VnetHeaderTest, RefusesATcpHeaderThatDoesNotFit) {
  EXPECT_FALSE(apply({1, 1, 40, 1, 24, kTcp}, tcp4(2)));
  EXPECT_FALSE(apply({1, 1, 40, 1, 20, kTcp}, tcp4(10, 15)));
  EXPECT_FALSE(apply({1, 1, 40, 1, 20, kTcp}, tcp4(10, 4)));
  EXPECT_FALSE(apply({1, 1, 40, 1448, 2030, kTcp}, tcp4(5000)));
}

TEST_F(VnetHeaderTest, IgnoresTheHeaderLengthHint) {
  ASSERT_TRUE(apply({1, 1, 0xffff, 1448, 20, kTcp}, tcp4(5000)));
  EXPECT_EQ(make_vnet_header(*packet).header_length, 40);
}

}  // namespace
}  // namespace sluice
