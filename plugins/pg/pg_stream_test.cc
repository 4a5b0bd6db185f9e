// SPDX-License-Identifier: Apache-2.0
// Descriptions against the bytes that Scapy makes of the same packet (its text stands beside each).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "template.h"

namespace sluice::pg {
namespace {

std::string hex(const std::vector<std::byte>& bytes) {
  std::string text;
  for (const std::byte b : bytes) text += fmt::format("{:02x}", std::to_integer<unsigned>(b));
  return text;
}

std::string packet(std::string_view description, std::uint64_t number = 0, std::string_view size = "") {
  const auto made = parse_stream(description, size);
  EXPECT_TRUE(made.ok()) << text(made.status());
  return made.ok() ? hex((*made)->bytes_of(number)) : "";
}

std::string refusal(std::string_view description, std::string_view size = "") {
  const auto made = parse_stream(description, size);
  EXPECT_FALSE(made.ok());
  return text(made.status());
}

TEST(StreamDescription, CountsFieldsUpOverTheirRangesWithTrueChecksums) {
  constexpr std::string_view kText =
      "ethernet src 02::1 dst 02::2 / ip4 src 10.0.0.1 dst 10.0.1.254-10.0.2.0 id 1 / udp sport 1000-1001 dport 53";
  // Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:02")/IP(src="10.0.0.1",dst="10.0.1.254")/
  // UDP(sport=1000,dport=53)/Raw(bytes(range(4))), then dst 10.0.1.255 sport 1001, dst 10.0.2.0 sport 1000.
  EXPECT_EQ(packet(kText, 0, "46"),
            "02000000000202000000000108004500002000010000401164ce0a0000010a0001fe03e80035000ce3b600010203");
  EXPECT_EQ(packet(kText, 1, "46"),
            "02000000000202000000000108004500002000010000401164cd0a0000010a0001ff03e90035000ce3b400010203");
  EXPECT_EQ(packet(kText, 2, "46"),
            "02000000000202000000000108004500002000010000401164cc0a0000010a00020003e80035000ce3b400010203");
  EXPECT_EQ(packet(kText, 6, "46"), packet(kText, 0, "46"));
}

TEST(StreamDescription, StacksVlanTagsAndTcpOnIp6) {
  // Ether(…)/Dot1AD(vlan=5,prio=3)/Dot1Q(vlan=100)/IPv6(src="fd00::1",dst="fd00::2",hlim=3,tc=0x12,fl=0x34567)/
  // TCP(sport=4000,dport=80,seq=7,ack=9,flags="SA",window=512)/Raw(bytes.fromhex("c0ffee"))
  EXPECT_EQ(packet("ethernet src 02::1 dst 02::2/qinq id 5 priority 3/vlan id 100/"
                   "ip6 src fd00::1 dst fd00::2 hlim 3 class 0x12 flow 0x34567/"
                   "tcp sport 4000 dport 80 seq 7 ack 9 flags SA window 512/payload hex c0ffee"),
            "02000000000202000000000188a860058100006486dd6123456700170603fd000000000000000000000000000001"
            "fd0000000000000000000000000000020fa00050000000070000000950120200f4ca0000c0ffee");
}

TEST(StreamDescription, MakesIcmpOfBothFamilies) {
  // IP(src="192.0.2.1",dst="192.0.2.2",ttl=9,tos=184,id=77,flags="DF")/ICMP(id=1,seq=3)/Raw(bytes(range(4)))
  EXPECT_EQ(packet("ip4 src 192.0.2.1 dst 192.0.2.2 ttl 9 tos 184 id 77 df 1 / icmp id 1 seq 3", 0, "32"),
            "45b80020004d40000901ecd4c0000201c00002020800f5f70001000300010203");
  // A varying address is no part of ICMPv4's checksum.
  EXPECT_EQ(packet("ip4 src 192.0.2.0-192.0.2.1 dst 192.0.2.2 ttl 9 tos 184 id 77 df 1 / icmp id 1 seq 3", 1, "32"),
            "45b80020004d40000901ecd4c0000201c00002020800f5f70001000300010203");
  // IPv6(src="fd00::1",dst="fd00::a")/ICMPv6EchoRequest(id=5,seq=8)/Raw(bytes(range(4)))
  EXPECT_EQ(packet("ip6 src fd00::1 dst fd00::9-fd00::a / icmp id 5 seq 7-8", 1, "52"),
            "60000000000c3a40fd000000000000000000000000000001fd00000000000000000000000000000a8000839b0005000800010203");
}

TEST(StreamDescription, SumsPayloadsOfOddLength) {
  // IPv6(src="fd00::1",dst="fd00::a")/UDP(sport=1024,dport=9)/Raw(bytes(1))
  EXPECT_EQ(packet("ip6 src fd00::1 dst fd00::a / udp", 0, "49"),
            "6000000000091140fd000000000000000000000000000001fd00000000000000000000000000000a04000009000901c700");
}

TEST(StreamDescription, NeverSendsUdpWithoutAChecksum) {
  // The sum of IP(src="10.0.0.1",dst="10.0.0.2")/UDP(sport=60370,dport=9) is zero: RFC 768 sends ffff.
  EXPECT_EQ(packet("ip4 src 10.0.0.1 dst 10.0.0.2 / udp sport 60370 dport 9").substr(52, 4), "ffff");
}

TEST(StreamDescription, GivesTypesAndProtocolsWhereTheLayersSayNone) {
  // Ether(…)/IP(src="10.0.0.1",dst="10.0.0.2",proto=4)/Raw(bytes.fromhex("0102"))
  EXPECT_EQ(packet("ethernet src 02::1 dst 02::2 / ip4 src 10.0.0.1 dst 10.0.0.2 proto 4 id 1 / payload hex 0102"),
            "02000000000202000000000108004500001600010000400466e10a0000010a0000020102");
  EXPECT_EQ(packet("ethernet src 02::1 dst 02::2 type 0x1234 / payload hex 01"),
            "0200000000020200000000011234"
            "01");
  EXPECT_EQ(packet("ethernet src 02::1 dst 02::2"), "02000000000202000000000188b5");
}

TEST(StreamDescription, CyclesThroughSizes) {
  const auto range = parse_stream("ip4 src 10.0.0.1 dst 10.0.0.2 / udp", "100-102");
  ASSERT_TRUE(range.ok());
  std::vector<std::size_t> lengths;
  for (unsigned i = 0; i < 4; ++i) lengths.push_back((*range)->bytes_of(i).size());
  EXPECT_EQ(lengths, (std::vector<std::size_t>{100, 101, 102, 100}));

  const auto imix = parse_stream("ethernet src 02::1 dst 02::2 / ip4 src 10.0.0.1 dst 10.0.0.2 / udp", "imix");
  ASSERT_TRUE(imix.ok());
  std::map<std::size_t, int> seen;
  for (unsigned i = 0; i < 12; ++i) ++seen[(*imix)->bytes_of(i).size()];
  EXPECT_EQ(seen, (std::map<std::size_t, int>{{54, 7}, {590, 4}, {1514, 1}}));
}

TEST(StreamDescription, RefusesWhatItDoesNotUnderstandAndSaysWhatIsAllowed) {
  EXPECT_EQ(refusal(""),
            "stream: an empty layer; layers stand between / and are ethernet, vlan, qinq, ip4, ip6, udp, tcp, icmp, "
            "payload");
  EXPECT_EQ(refusal("ip9"),
            "stream: ip9: no such layer; there are ethernet, vlan, qinq, ip4, ip6, udp, tcp, icmp, payload");
  EXPECT_EQ(refusal("udp"), "stream: udp cannot be the first layer; begin with ethernet, ip4 or ip6");
  EXPECT_EQ(refusal("ip4 src 10.0.0.1 dst 10.0.0.2 / vlan id 3"), "stream: vlan cannot follow ip4");
  EXPECT_EQ(refusal("ip4 src 10.0.0.1"), "stream: ip4: dst is missing");
  EXPECT_EQ(refusal("ip4 src"), "stream: ip4 src: the value is missing");
  EXPECT_EQ(refusal("ip4 sauce 1"), "stream: ip4 sauce: no such field; ip4 has src, dst, ttl, tos, id, df, proto");
  EXPECT_EQ(refusal("ip4 ttl 1 ttl 2"), "stream: ip4 ttl: given twice");
  EXPECT_EQ(refusal("ip4 ttl 256"), "stream: ip4 ttl 256: must be a number from 0 to 255");
  EXPECT_EQ(refusal("ip4 ttl 3x"), "stream: ip4 ttl 3x: must be a number from 0 to 255");
  EXPECT_EQ(refusal("ip4 ttl 1-3"), "stream: ip4 ttl 1-3: takes one value, no range");
  EXPECT_EQ(refusal("ip4 src 10.0.0.9-10.0.0.1"),
            "stream: ip4 src 10.0.0.9-10.0.0.1: the last value comes before the first");
  EXPECT_EQ(refusal("ip6 src fd00::1-fd00:1::1"),
            "stream: ip6 src fd00::1-fd00:1::1: both ends must have the same upper 64 bits");
  EXPECT_EQ(refusal("ip6 src fd00::-fd00::ffff:ffff:ffff:ffff"),
            "stream: ip6 src fd00::-fd00::ffff:ffff:ffff:ffff: the range is too wide");
  EXPECT_EQ(refusal("ip4 src 1.1.1.1 dst 2.2.2.2 / tcp flags SX"),
            "stream: tcp flags SX: must be letters of FSRPAUEC, as SA");
  EXPECT_EQ(refusal("ip4 src 1.1.1.1 dst 2.2.2.2 / payload hex abc"),
            "stream: payload hex abc: must be pairs of hexadecimal digits, at most 1024 bytes");
  EXPECT_EQ(refusal("ip4 src 1.1.1.1 dst 2.2.2.2 / payload hex zz"),
            "stream: payload hex zz: must be pairs of hexadecimal digits");
  EXPECT_EQ(refusal("ethernet src 02::1 dst 02::2 / vlan id 1 / vlan id 1 / vlan id 1 / vlan id 1 / vlan id 1 / "
                    "vlan id 1 / vlan id 1 / vlan id 1"),
            "stream: more than 8 layers");
  EXPECT_EQ(refusal(std::string(5000, 'x')), "stream: longer than 4096 characters");
  EXPECT_TRUE(refusal("ip4 src 10.0.0.300 dst 1.1.1.1").starts_with("stream: ip4 src "));
}

TEST(StreamDescription, RefusesSizesThatTheHeadersDoNotFitIn) {
  constexpr std::string_view kText = "ip4 src 10.0.0.1 dst 10.0.0.2 / udp";
  const std::string allowed = ": must be N, N-M or imix; the headers and payload take 28 bytes, the most is 9216";
  for (const std::string size : {"27", "100-99", "9217", "64-9217", "x", "64-", "-64", "1-2-3"}) {
    EXPECT_EQ(refusal(kText, size), "size " + size + allowed);
  }
}

}  // namespace
}  // namespace sluice::pg
