// SPDX-License-Identifier: Apache-2.0
#include "sluice/net/flow_pattern.h"

#include <gtest/gtest.h>
#include <pcap/pcap.h>

#include <memory>

#include "sluice/net/protocol_names.h"
#include "sluice/testing/packet_builder.h"

namespace sluice {
namespace {

using testing::packet;
using Bytes = std::vector<std::uint8_t>;

FlowPattern pattern(std::string_view words) {
  const auto parsed = FlowPattern::parse(words);
  EXPECT_TRUE(parsed.ok()) << words << ": " << text(parsed.status());
  return parsed.ok() ? *parsed : FlowPattern();
}
std::string error(std::string_view words) { return text(FlowPattern::parse(words).status()); }

/// What libpcap says of a packet on a link.
bool picks(const std::string& expression, int link, const Bytes& bytes) {
  const std::unique_ptr<pcap_t, decltype(&pcap_close)> handle(pcap_open_dead(link, 65535), &pcap_close);
  bpf_program program{};
  if (pcap_compile(handle.get(), &program, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    ADD_FAILURE() << expression << ": " << pcap_geterr(handle.get());
    return false;
  }
  pcap_pkthdr header{};
  header.caplen = header.len = static_cast<bpf_u_int32>(bytes.size());
  const bool picked = pcap_offline_filter(&program, &header, bytes.data()) != 0;
  pcap_freecode(&program);
  return picked;
}
/// Whether the packet is one of the flow, the same on both kinds of links.
bool is_of(std::string_view words, const testing::PacketBuilder& ip) {
  const auto expression = pattern(words).to_pcap();
  const bool picked = picks(expression, DLT_RAW, ip.bytes());
  Bytes frame = packet().ethernet("02::1", "02::2").bytes();
  frame[12] = (ip.bytes()[0] >> 4) == 4 ? 0x08 : 0x86;
  frame[13] = (ip.bytes()[0] >> 4) == 4 ? 0x00 : 0xdd;
  const Bytes inner = ip.bytes();
  frame.insert(frame.end(), inner.begin(), inner.end());
  EXPECT_EQ(picks(expression, DLT_EN10MB, frame), picked) << expression;
  return picked;
}

TEST(FlowPattern, ReadsWhatItWrites) {
  const std::pair<const char*, const char*> kLines[] = {
      {"tcp 10.1.0.5:* > 10.1.0.6:80", "tcp 10.1.0.5:* > 10.1.0.6:80"},
      {"tcp 10.1.0.5 > 10.1.0.6:80", "tcp 10.1.0.5:* > 10.1.0.6:80"},
      {"udp * > [2001:db8::53]:53", "udp *:* > [2001:db8::53]:53"},
      {"sctp *:7 > *", "sctp *:7 > *:*"},
      {"tcp 2001:db8::1 > [2001:db8::2]", "tcp [2001:db8::1]:* > [2001:db8::2]:*"},
      {"tcp ::ffff:1.2.3.4 > *", "tcp [::ffff:1.2.3.4]:* > *:*"},
      {"icmp 10.1.0.5 > 10.1.0.6:*", "icmp 10.1.0.5 > 10.1.0.6"},
      {"icmp6 fd00::1 > *", "icmp6 fd00::1 > *"},
      {"ip * > *", "ip * > *"},
      {"47 10.1.0.5 > *", "gre 10.1.0.5 > *"},
      {"253 * > 10.0.0.1", "253 * > 10.0.0.1"},
      {"  tcp\t10.0.0.1:1   >  10.0.0.2:65535 ", "tcp 10.0.0.1:1 > 10.0.0.2:65535"},
  };
  for (const auto& [line, canonical] : kLines) {
    const auto read = pattern(line);
    EXPECT_EQ(read.to_string(), canonical);
    EXPECT_EQ(pattern(canonical), read);
    EXPECT_EQ(read.reversed().reversed(), read);
  }
  EXPECT_EQ(pattern("tcp 10.1.0.5:4000 > 10.1.0.6:80").reversed().to_string(), "tcp 10.1.0.6:80 > 10.1.0.5:4000");
}

TEST(FlowPattern, SaysWhatIsWrongAndWhatMayStandThere) {
  for (const char* line :
       {"", "tcp", "tcp 10.0.0.1 10.0.0.2", "tcp 10.0.0.1 > ", "tcp a > b > c", "tcp 1.1.1.1 - 2.2.2.2"})
    EXPECT_NE(error(line).find("PROTOCOL SOURCE > DESTINATION"), std::string::npos) << line;
  EXPECT_NE(error("tpc * > *").find("protocol 'tpc': must be ip (any), tcp, udp"), std::string::npos);
  EXPECT_NE(error("256 * > *").find("or a number to 255"), std::string::npos);
  EXPECT_NE(error("-1 * > *").find("'-1'"), std::string::npos);
  for (const char* end : {"10.0.0.256", "10.0.0", "web", "2001:db8::g", "[2001:db8::1", "[2001:db8::1]80", "[]:80",
                          "[*]:80", "fe80::1%eth0", "10.0.0.0/8", ":80", "**"}) {
    EXPECT_EQ(error(std::string("tcp ") + end + " > *").rfind(std::string("source '") + end + "': ", 0), 0u) << end;
    EXPECT_NE(error(std::string("tcp ") + end + " > *").find("[IPV6]:PORT"), std::string::npos) << end;
  }
  for (const char* port : {"0", "65536", "", "-1", "80x", "**", " ", "99999999999999999999"}) {
    const auto said = text(FlowPattern::parse("tcp", "*", std::string("10.0.0.1:") + port).status());
    EXPECT_NE(said.find("destination '10.0.0.1:"), std::string::npos) << said;
    EXPECT_NE(said.find("1 to 65535, or * for any"), std::string::npos) << said;
  }
  EXPECT_EQ(error("tcp [10.0.0.1]:80 > *"), "source '[10.0.0.1]:80': only IPv6 addresses stand in brackets");
  EXPECT_EQ(error("tcp 10.0.0.1 > 2001:db8::1"), "10.0.0.1 and 2001:db8::1: a flow has addresses of one family");
  EXPECT_EQ(error("icmp * > 2001:db8::1"), "icmp is IPv4's; say icmp6 for 2001:db8::1");
  EXPECT_EQ(error("icmp6 10.0.0.1 > *"), "icmp6 is IPv6's; say icmp for 10.0.0.1");
  EXPECT_EQ(error("icmp 10.0.0.1:8 > *"), "icmp has no ports: leave :8 away, or say tcp, udp or sctp");
  EXPECT_EQ(error("ip 10.0.0.1 > *:80"), "ip has no ports: leave :80 away, or say tcp, udp or sctp");
  EXPECT_FALSE(FlowPattern::parse("tcp", std::string_view("10.0.0.1\0", 9), "*").ok());
}

TEST(FlowPattern, ChecksAWordAlone) {
  EXPECT_TRUE(FlowPattern::check_protocol("ip").ok());
  EXPECT_TRUE(FlowPattern::check_protocol("vrrp").ok());
  EXPECT_TRUE(FlowPattern::check_protocol("0").ok());
  EXPECT_FALSE(FlowPattern::check_protocol("").ok());
  EXPECT_TRUE(FlowPattern::check_end("[2001:db8::1]:*").ok());
  EXPECT_FALSE(FlowPattern::check_end("").ok());
  for (unsigned number = 0; number < 256; ++number) {
    const auto name = protocol_name(static_cast<std::uint8_t>(number));
    EXPECT_TRUE(name.empty() || protocol_number(name) == number) << name;
  }
}

TEST(FlowPattern, MeansThePacketsOfItsFlowAndNoOthers) {
  const auto syn = packet().ip4("10.1.0.5", "10.1.0.6").tcp(4000, 80);
  for (const char* words :
       {"tcp 10.1.0.5:4000 > 10.1.0.6:80", "tcp 10.1.0.5:* > 10.1.0.6:80", "tcp * > *:80", "tcp * > *", "ip * > *",
        "ip 10.1.0.5 > *", "6 10.1.0.5 > 10.1.0.6", "tcp *:4000 > 10.1.0.6"})
    EXPECT_TRUE(is_of(words, syn)) << words;
  for (const char* words : {"tcp 10.1.0.6:80 > 10.1.0.5:4000", "tcp 10.1.0.5:4001 > 10.1.0.6:80", "tcp * > *:81",
                            "udp * > *", "ip 10.1.0.6 > *", "ip * > 10.1.0.5", "ip ::1 > *", "icmp * > *"})
    EXPECT_FALSE(is_of(words, syn)) << words;
  EXPECT_TRUE(is_of("tcp 10.1.0.6:80 > 10.1.0.5:*", packet().ip4("10.1.0.6", "10.1.0.5").tcp(80, 4000)));

  const auto query = packet().ip6("2001:db8::1", "2001:db8::53").udp(5000, 53);
  for (const char* words :
       {"udp * > [2001:db8::53]:53", "udp 2001:db8::1 > *:53", "ip 2001:db8::1 > 2001:db8::53", "udp * > *"})
    EXPECT_TRUE(is_of(words, query)) << words;
  for (const char* words : {"udp * > [2001:db8::53]:54", "tcp * > *:53", "udp 2001:db8::2 > *", "icmp6 * > *"})
    EXPECT_FALSE(is_of(words, query)) << words;

  EXPECT_TRUE(is_of("icmp 10.1.0.5 > *", packet().ip4("10.1.0.5", "10.1.0.6").echo_request(7, 1)));
  EXPECT_FALSE(is_of("icmp 10.1.0.6 > *", packet().ip4("10.1.0.5", "10.1.0.6").echo_request(7, 1)));
  EXPECT_TRUE(is_of("icmp6 * > *", packet().ip6("fd00::1", "fd00::2").echo_request(7, 1)));
  EXPECT_TRUE(is_of("gre * > *", packet().ip4("10.1.0.5", "10.1.0.6").protocol(47)));
}

TEST(FlowPattern, MeansAFragmentWithoutPortsOnlyWhereNoPortIsAsked) {
  const auto later = packet().ip4("10.1.0.5", "10.1.0.6").fragment(16, false, 7).payload_size(8).protocol(17);
  EXPECT_TRUE(is_of("udp 10.1.0.5 > 10.1.0.6", later));
  EXPECT_FALSE(is_of("udp 10.1.0.5 > 10.1.0.6:53", later));
}

TEST(FlowPattern, IsAFlowWhenNothingIsOpen) {
  const Bytes four = packet().ip4("10.1.0.5", "10.1.0.6").tcp(4000, 80);
  const Bytes six = packet().ip6("2001:db8::1", "2001:db8::53").udp(5000, 53);
  for (const auto& bytes : {four, six}) {
    FlowKey key;
    ASSERT_TRUE(extract_flow(bytes, key));
    const auto same = pattern(key.to_string()).key();
    ASSERT_TRUE(same.ok()) << text(same.status());
    EXPECT_EQ(*same, key);
  }
  EXPECT_EQ(pattern("icmp 10.1.0.5 > 10.1.0.6").key()->to_string(), "icmp 10.1.0.5 > 10.1.0.6");
  const auto why = [](std::string_view words) { return text(pattern(words).key().status()); };
  EXPECT_EQ(why("tcp 10.1.0.5:* > 10.1.0.6:80"), "tcp 10.1.0.5:* > 10.1.0.6:80: the source port is open; name one");
  EXPECT_NE(why("tcp 10.1.0.5:1 > 10.1.0.6").find("destination port"), std::string::npos);
  EXPECT_NE(why("ip 10.1.0.5 > 10.1.0.6").find("protocol"), std::string::npos);
  EXPECT_NE(why("icmp * > 10.1.0.6").find("source address"), std::string::npos);
  EXPECT_NE(why("icmp 10.1.0.6 > *").find("destination address"), std::string::npos);
}

}  // namespace
}  // namespace sluice
