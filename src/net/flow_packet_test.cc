// SPDX-License-Identifier: Apache-2.0
#include "net/flow_packet.h"

#include <gtest/gtest.h>

#include "sluice/testing/packet_builder.h"

namespace sluice {
namespace {

using testing::packet;
using Bytes = std::vector<std::uint8_t>;

FlowKey key_of(const Bytes& bytes) {
  FlowKey key;
  EXPECT_TRUE(extract_flow(bytes, key));
  return key;
}

Bytes made(const FlowKey& key, const FlowPacketOptions& options = {}) {
  const auto bytes = make_flow_packet(key, options);
  EXPECT_TRUE(bytes.ok()) << text(bytes.status());
  return bytes.ok() ? *bytes : Bytes();
}

std::string error_of(const FlowKey& key, const FlowPacketOptions& options) {
  return text(make_flow_packet(key, options).status());
}

const Bytes kTcp4 = packet().ip4("10.1.0.5", "10.1.0.6").tcp(4000, 80, TcpHeader::kSyn);
const Bytes kUdp6 = packet().ip6("fd00::5", "fd00::6").udp(4000, 53);

TEST(FlowPacket, IsWhatThePacketBuilderMakes) {
  EXPECT_EQ(made(key_of(packet().ip4("10.1.0.5", "10.1.0.6").udp(4000, 53))),
            packet().ip4("10.1.0.5", "10.1.0.6").udp(4000, 53).bytes());
  EXPECT_EQ(made(key_of(kUdp6)), kUdp6);
  EXPECT_EQ(made(key_of(packet().ip4("10.1.0.5", "10.1.0.6").echo_request(7))),
            packet().ip4("10.1.0.5", "10.1.0.6").echo_request(7).bytes());
  EXPECT_EQ(made(key_of(packet().ip6("fd00::5", "fd00::6").echo_request(7))),
            packet().ip6("fd00::5", "fd00::6").echo_request(7).bytes());
  EXPECT_EQ(made(key_of(packet().ip4("10.1.0.5", "10.1.0.6"))), packet().ip4("10.1.0.5", "10.1.0.6").bytes());
  const Bytes sctp = packet().ip4("10.1.0.5", "10.1.0.6").payload({1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0}).protocol(132);
  EXPECT_EQ(made(key_of(sctp)), sctp);
}

TEST(FlowPacket, OfTcpIsASynWithARightChecksum) {
  const Bytes bytes = made(key_of(kTcp4));
  EXPECT_EQ(key_of(bytes), key_of(kTcp4));
  ASSERT_EQ(bytes.size(), 40u);
  EXPECT_EQ(bytes[33], TcpHeader::kSyn);
  const auto pseudo =
      pseudo_header_sum(*Ip4Address::parse("10.1.0.5"), *Ip4Address::parse("10.1.0.6"), kIpProtocolTcp, 20);
  EXPECT_EQ(checksum_fold(checksum_add(pseudo, &bytes[20], 20)), 0xffff);
}

TEST(FlowPacket, HasTheLengthTtlAndBitThatAreAskedFor) {
  const Bytes four = made(key_of(kTcp4), {.ttl = 1, .length = 1500, .dont_fragment = true});
  ASSERT_EQ(four.size(), 1500u);
  EXPECT_EQ(four[8], 1);
  EXPECT_EQ(four[6], 0x40);
  EXPECT_EQ(checksum_fold(checksum_add(0, four.data(), 20)), 0xffff);
  EXPECT_EQ(made(key_of(kUdp6), {.ttl = 3, .length = 1280}),
            packet().ip6("fd00::5", "fd00::6").ttl(3).udp(4000, 53).payload(Bytes(1280 - 48)).bytes());
}

TEST(FlowPacket, RefusesWhatNoPacketCanBe) {
  EXPECT_EQ(error_of(key_of(kTcp4), {.length = 39}),
            "length 39: this packet's headers take 40 bytes, and it has at most 65535");
  EXPECT_EQ(error_of(key_of(kTcp4), {.length = 65536}),
            "length 65536: this packet's headers take 40 bytes, and it has at most 65535");
  EXPECT_EQ(error_of(key_of(kUdp6), {.length = 65576}),
            "length 65576: this packet's headers take 48 bytes, and it has at most 65575");
  EXPECT_EQ(made(key_of(kUdp6), {.length = 65575}).size(), 65575u);
  EXPECT_NE(error_of(key_of(kUdp6), {.dont_fragment = true}).find("IPv6"), std::string::npos);
}

}  // namespace
}  // namespace sluice
