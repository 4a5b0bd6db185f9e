// SPDX-License-Identifier: Apache-2.0
// What explain takes and how it names packets. What it says of them is tested where packets flow.
#include <gtest/gtest.h>

#include "control/explain_service.h"
#include "control/packet_words.h"
#include "sluice/testing/packet_builder.h"

namespace sluice::explain {
namespace {

using control::icmp_words;
using control::packet_words;
using testing::packet;

std::string error_of(std::string_view hex) { return text(bytes_of(hex).status()); }
std::string words(const Bytes& bytes, LinkLayer link = LinkLayer::Ip) { return packet_words(bytes, link); }

TEST(ExplainPacket, ReadsPairsOfHexadecimalDigits) {
  const auto bytes = bytes_of("4500 001c:aF 00");
  ASSERT_TRUE(bytes.ok()) << text(bytes.status());
  EXPECT_EQ(*bytes, (Bytes{0x45, 0, 0, 0x1c, 0xaf, 0}));
}

TEST(ExplainPacket, NamesTheByteThatIsNone) {
  EXPECT_EQ(error_of("45 0x"), "packet: '0x' at byte 1: must be pairs of hexadecimal digits, as in 4500 0054");
  EXPECT_EQ(error_of("4500 1"), "packet: '1' at byte 2: must be pairs of hexadecimal digits, as in 4500 0054");
  EXPECT_EQ(error_of("45 -1"), "packet: '-1' at byte 1: must be pairs of hexadecimal digits, as in 4500 0054");
  EXPECT_EQ(error_of(" : "), "packet: there are no bytes; must be pairs of hexadecimal digits, as in 4500 0054");
}

TEST(PacketWords, NameTheFlowAndWhatIcmpSays) {
  EXPECT_EQ(words(packet().ip4("10.1.0.5", "10.1.0.6").tcp(4000, 80)), "tcp 10.1.0.5:4000 > 10.1.0.6:80");
  EXPECT_EQ(words(packet().ip4("192.0.2.2", "10.1.0.5").icmp(kIcmpTimeExceeded, 0)),
            "icmp 192.0.2.2 > 10.1.0.5, time to live exceeded");
  EXPECT_EQ(words(packet().ip6("fd00::1", "fd00::5").icmp(kIcmp6PacketTooBig, 0, 1400)),
            "icmp6 fd00::1 > fd00::5, packet too big, MTU 1400");
  EXPECT_EQ(words(packet().ethernet("02::9", "02::1").vlan(5).ip6("fd00::1", "fd00::5").udp(1, 2), LinkLayer::Ethernet),
            "udp [fd00::1]:1 > [fd00::5]:2");
}

TEST(PacketWords, NameArpAndWhatIsUnknown) {
  EXPECT_EQ(words(packet().ethernet("02::9", "ff:ff:ff:ff:ff:ff").arp_request("02::9", "192.0.2.9", "192.0.2.2"),
                  LinkLayer::Ethernet),
            "ARP request, who has 192.0.2.2? tell 192.0.2.9");
  EXPECT_EQ(words(packet().ethernet("02::1", "02::9").arp_reply("02::1", "192.0.2.2", "02::9", "192.0.2.9"),
                  LinkLayer::Ethernet),
            "ARP reply, 192.0.2.2 is at 02:00:00:00:00:01");
  EXPECT_EQ(words(packet().ethernet("02::9", "02::1").payload("x"), LinkLayer::Ethernet), "ethertype 0x9000");
}

TEST(PacketWords, AreSaidOfEveryBeginningOfAPacket) {
  const Bytes whole =
      packet().ethernet("02::9", "02::1").vlan(5).ip4("10.1.0.5", "10.1.0.6").icmp(kIcmpUnreachable, 4, 1400);
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    EXPECT_FALSE(words(Bytes(whole.begin(), whole.begin() + static_cast<long>(n)), LinkLayer::Ethernet).empty()) << n;
  }
  EXPECT_EQ(words(whole, LinkLayer::Ethernet), "icmp 10.1.0.5 > 10.1.0.6, fragmentation needed, MTU 1400");
}

TEST(PacketWords, HaveANumberForMessagesWithoutAName) {
  EXPECT_EQ(icmp_words(false, 42, 7, 0), "type 42 code 7");
  EXPECT_EQ(icmp_words(true, 1, 99, 0), "type 1 code 99");
  EXPECT_EQ(icmp_words(false, kIcmpUnreachable, 4, 0), "fragmentation needed");
  EXPECT_EQ(icmp_words(true, kIcmp6ParameterProblem, 1, 40), "parameter problem at byte 40");
}

}  // namespace
}  // namespace sluice::explain
