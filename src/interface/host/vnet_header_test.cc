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
