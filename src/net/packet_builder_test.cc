// SPDX-License-Identifier: Apache-2.0
#include "sluice/testing/packet_builder.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::packet;
using Bytes = std::vector<std::uint8_t>;

Bytes from_hex(std::string_view hex) {
  Bytes bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

// Every expectation is what Scapy makes of the expression that scapy() prints.
struct Case {
  testing::PacketBuilder made;
  const char* scapy;
  const char* hex;
  friend void PrintTo(const Case& c, std::ostream* out) { PrintTo(c.made, out); }
};

class PacketBuilderAgainstScapy : public ::testing::TestWithParam<Case> {};

TEST_P(PacketBuilderAgainstScapy, MakesTheSameBytes) {
  EXPECT_EQ(GetParam().made.scapy(), GetParam().scapy);
  EXPECT_EQ(GetParam().made.bytes(), from_hex(GetParam().hex));
}
INSTANTIATE_TEST_SUITE_P(
    All, PacketBuilderAgainstScapy,
    ::testing::Values(
        Case{packet()
                 .ethernet("02::1", "02::2")
                 .vlan(5)
                 .ip4("10.0.0.1", "10.0.0.2")
                 .ttl(3)
                 .udp(4000, 53)
                 .payload("hello"),
             "Ether(src='02:00:00:00:00:01', dst='02:00:00:00:00:02')/Dot1Q(vlan=5, prio=0)/IP(src='10.0.0.1', "
             "dst='10.0.0.2', id=0, ttl=3)/UDP(sport=4000, dport=53)/Raw(load=bytes.fromhex('68656c6c6f'))",
             "02000000000202000000000181000005080045000021000000000311a3ca0a0000010a0000020fa00035000d982a68656c6c6f"},
        Case{packet()
                 .ethernet("02::1", "02::2")
                 .service_vlan(100, 3)
                 .vlan(7)
                 .ip6("2001:db8::1", "2001:db8::2")
                 .ttl(9)
                 .tos(0xb8)
                 .tcp(1, 2, 0x12, 7, 8),
             "Ether(src='02:00:00:00:00:01', dst='02:00:00:00:00:02')/Dot1AD(vlan=100, prio=3)/Dot1Q(vlan=7, "
             "prio=0)/IPv6(src='2001:db8::1', dst='2001:db8::2', hlim=9, tc=184)/TCP(sport=1, dport=2, flags=18, "
             "seq=7, ack=8)",
             "02000000000202000000000188a860648100000786dd6b8000000014060920010db800000000000000000000000120010db800000"
             "000000000000000000200010002000000070000000850122000344c0000"},
        Case{packet().ip4("10.0.0.1", "10.0.0.2").dont_fragment().echo_request(77, 3).payload_size(9),
             "IP(src='10.0.0.1', dst='10.0.0.2', id=0, flags='DF')/ICMP(type=8, code=0, id=77, "
             "seq=3)/Raw(load=bytes.fromhex('000102030405060708'))",
             "4500002500004000400126d60a0000010a0000020800e39f004d0003000102030405060708"},
        Case{packet().ip4("10.0.0.1", "10.0.0.2").fragment(1480, true, 5).protocol(17).payload("x"),
             "IP(src='10.0.0.1', dst='10.0.0.2', id=5, frag=185, flags='MF', proto=17)/Raw(load=bytes.fromhex('78'))",
             "45000015000520b9401146180a0000010a00000278"},
        Case{packet().ip6("::1", "::2").fragment(0, true, 9).udp(1, 2).payload("abc"),
             "IPv6(src='::1', dst='::2')/IPv6ExtHdrFragment(offset=0, m=1, id=9)/UDP(sport=1, "
             "dport=2)/Raw(load=bytes.fromhex('616263'))",
             "6000000000132c4000000000000000000000000000000001000000000000000000000000000000021100000100000009000100020"
             "00b3b70616263"},
        Case{packet().ethernet("02::1", "ff:ff:ff:ff:ff:ff").arp_request("02::1", "10.0.0.1", "10.0.0.2"),
             "Ether(src='02:00:00:00:00:01', dst='ff:ff:ff:ff:ff:ff')/ARP(op=1, hwsrc='02:00:00:00:00:01', "
             "psrc='10.0.0.1', hwdst='00:00:00:00:00:00', pdst='10.0.0.2')",
             "ffffffffffff020000000001080600010800060400010200000000010a0000010000000000000a000002"},
        Case{packet().ip4("10.0.0.1", "10.0.0.2").ip4("10.1.0.1", "10.1.0.2").icmp(3, 4, 1400),
             "IP(bytes.fromhex('"
             "4500003000000000400466c80a0000010a0000024500001c00000000400166dd0a0100010a0100020304f78300000578'))",
             "4500003000000000400466c80a0000010a0000024500001c00000000400166dd0a0100010a0100020304f78300000578"},
        Case{packet().ip6("fe80::1", "ff02::1:ff00:2").ttl(255).neighbor_solicitation("fe80::2", "02::1"),
             "IPv6(bytes.fromhex('"
             "6000000000203afffe800000000000000000000000000001ff0200000000000000000001ff00000287007a9700000000fe8000000"
             "000000000000000000000020101020000000001'))",
             "6000000000203afffe800000000000000000000000000001ff0200000000000000000001ff00000287007a9700000000fe8000000"
             "000000000000000000000020101020000000001"},
        Case{packet().ip6("fe80::2", "fe80::1").ttl(255).neighbor_advertisement("fe80::2", "02::2"),
             "IPv6(bytes.fromhex('"
             "6000000000203afffe800000000000000000000000000002fe8000000000000000000000000000018800181a60000000fe8000000"
             "000000000000000000000020201020000000002'))",
             "6000000000203afffe800000000000000000000000000002fe8000000000000000000000000000018800181a60000000fe8000000"
             "000000000000000000000020201020000000002"},
        Case{packet().ip6("::1", "::2").hop_by_hop({1, 4, 0, 0, 0, 0}).echo_request(3, 4).payload("hi"),
             "IPv6(bytes.fromhex('"
             "600000000012004000000000000000000000000000000001000000000000000000000000000000023a00010400000000800017480"
             "00300046869'))",
             "600000000012004000000000000000000000000000000001000000000000000000000000000000023a00010400000000800017480"
             "00300046869"},
        Case{packet().ip4("10.0.0.1", "10.0.0.2").tcp(1, 2, TcpHeader::kSyn).options({2, 4, 5, 0xb4}),
             "IP(bytes.fromhex('"
             "4500002c00000000400666ca0a0000010a00000200010002000000010000000160022000641f0000020405b4'))",
             "4500002c00000000400666ca0a0000010a00000200010002000000010000000160022000641f0000020405b4"}));

TEST(PacketBuilder, LetsATestSpoilWhatItWants) {
  const Bytes wrong = packet().ip4("10.0.0.1", "10.0.0.2").checksum(0x1234).length(19).udp(1, 2).checksum(0).length(7);
  EXPECT_EQ(wrong[10], 0x12);
  EXPECT_EQ(wrong[3], 19);
  EXPECT_EQ(wrong[25], 7);
  EXPECT_EQ(wrong[26], 0);
  EXPECT_EQ(packet().ip6("::1", "::2").udp(1, 2).protocol(99).bytes()[6], 99);
  EXPECT_EQ(packet().ip6("::1", "::2").udp(1, 2).cut(11).bytes().size(), 11u);
  EXPECT_EQ(packet().ip4("10.0.0.1", "10.0.0.2").ip6("::1", "::2").bytes()[9], kIpProtocolIp6);
  EXPECT_THROW(packet().icmp(8, 0), std::logic_error);
}

}  // namespace
}  // namespace sluice
