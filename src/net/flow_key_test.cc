// SPDX-License-Identifier: Apache-2.0
#include "sluice/net/flow_key.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "sluice/net/crc32c.h"
#include "sluice/net/ip6_extensions.h"
#include "sluice/testing/packet_builder.h"

namespace sluice {
namespace {

using testing::packet;
using Bytes = std::vector<std::uint8_t>;

FlowKey flow_of(const Bytes& bytes) {
  FlowKey key;
  EXPECT_TRUE(extract_flow(bytes, key));
  return key;
}

TEST(Flow, NamesTheEndsOfBothFamilies) {
  EXPECT_EQ(flow_of(packet().ip4("10.0.0.1", "10.0.0.2").udp(4000, 53)).to_string(), "udp 10.0.0.1:4000 > 10.0.0.2:53");
  EXPECT_EQ(flow_of(packet().ip4("10.0.0.1", "10.0.0.2").options({1, 1, 1, 0}).tcp(1, 2)).to_string(),
            "tcp 10.0.0.1:1 > 10.0.0.2:2");
  EXPECT_EQ(
      flow_of(packet().ip6("2001:db8::1", "2001:db8::2").hop_by_hop().destination_options().tcp(1, 2)).to_string(),
      "tcp [2001:db8::1]:1 > [2001:db8::2]:2");
  EXPECT_EQ(flow_of(packet().ip4("10.0.0.1", "10.0.0.2").echo_request(77, 1)).to_string(),
            "icmp 10.0.0.1:77 > 10.0.0.2:77");
  EXPECT_EQ(flow_of(packet().ip6("::1", "::2").echo_reply(77, 9)).to_string(), "icmp6 [::1]:77 > [::2]:77");
  EXPECT_EQ(flow_of(packet().ip6("::1", "::2").neighbor_solicitation("::2")).to_string(), "icmp6 ::1 > ::2");
  EXPECT_EQ(flow_of(packet().ip4("10.0.0.1", "10.0.0.2").protocol(47)).to_string(), "gre 10.0.0.1 > 10.0.0.2");
  EXPECT_EQ(flow_of(packet().ip4("10.0.0.1", "10.0.0.2").protocol(200)).to_string(),
            "protocol 200 10.0.0.1 > 10.0.0.2");
}

TEST(Flow, IsTheSameForAllFragmentsOfAPacket) {
  const auto first = flow_of(packet().ip4("10.0.0.1", "10.0.0.2").fragment(0, true, 7).udp(1, 2).payload_size(8));
  const auto second = flow_of(packet().ip4("10.0.0.1", "10.0.0.2").fragment(16, false, 7).payload_size(8).protocol(17));
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.source_port, 0);
  EXPECT_NE(first, flow_of(packet().ip4("10.0.0.1", "10.0.0.2").udp(0, 0)));
  const auto first6 = flow_of(packet().ip6("::1", "::2").fragment(0, true).udp(1, 2).payload_size(8));
  auto rest = packet().ip6("::1", "::2").fragment(16, false).payload_size(8).bytes();
  rest[40] = 17;
  EXPECT_EQ(first6, flow_of(rest));
}

TEST(Flow, TakesWhatIsTooShortForItsPortsWithoutThem) {
  const Bytes whole = packet().ip4("10.0.0.1", "10.0.0.2").udp(4000, 53);
  for (std::size_t n = 0; n < 20; ++n) {
    FlowKey key;
    EXPECT_FALSE(extract_flow(std::span(whole).first(n), key)) << n;
    EXPECT_EQ(key, FlowKey{});
  }
  for (std::size_t n = 20; n < 24; ++n)
    EXPECT_EQ(flow_of({whole.begin(), whole.begin() + static_cast<long>(n)}).source_port, 0);
  for (const std::uint8_t hostile : {0x40, 0x41, 0x44, 0x4f}) {
    Bytes lies = whole;
    lies[0] = hostile;
    EXPECT_EQ(flow_of(lies).source_port, 0) << int{hostile};
  }
  FlowKey key;
  Bytes other = whole;
  other[0] = 0x55;
  EXPECT_FALSE(extract_flow(other, key));
}

TEST(Ip6Extensions, EndWhereTheyShould) {
  const auto walk = [](const Bytes& b) { return walk_ip6_extensions(b); };
  auto w = walk(packet().ip6("::1", "::2").hop_by_hop().routing(Bytes(14)).destination_options().udp(1, 2));
  EXPECT_EQ(w.end, Ip6WalkEnd::UpperLayer);
  EXPECT_EQ(w.protocol, kIpProtocolUdp);
  EXPECT_EQ(w.offset, 40 + 8 + 16 + 8);
  EXPECT_EQ(w.next_header_at, 64);
  EXPECT_FALSE(w.routing_segments_left);
  EXPECT_TRUE(walk(packet().ip6("::1", "::2").routing({0, 1, 0, 0, 0, 0}).udp(1, 2)).routing_segments_left);
  w = walk(packet().ip6("::1", "::2").hop_by_hop().fragment(800, true, 0x1234567).payload_size(8));
  EXPECT_EQ(w.end, Ip6WalkEnd::Fragment);
  EXPECT_TRUE(w.more_fragments);
  EXPECT_EQ(w.fragment_offset, 800);
  EXPECT_EQ(w.fragment_at, 48);
  EXPECT_EQ(w.fragment_named_at, 40);
  EXPECT_EQ(w.fragment_id, 0x1234567u);
  EXPECT_EQ(w.offset, 56);
  // An authentication header counts its length in words of four bytes.
  Bytes authenticated = packet().ip6("::1", "::2").destination_options(Bytes(22)).tcp(1, 2);
  authenticated[6] = kIpProtocolAuthentication;
  authenticated[41] = 4;
  EXPECT_EQ(walk(authenticated).offset, 64);
  w = walk_ip6_extensions(authenticated, Ip6Authentication::IsUpperLayer);
  EXPECT_EQ(w.end, Ip6WalkEnd::UpperLayer);
  EXPECT_EQ(w.protocol, kIpProtocolAuthentication);
  EXPECT_EQ(w.offset, 40);
}

TEST(Ip6Extensions, EndForHostileBytesToo) {
  auto chain = packet();
  chain.ip6("::1", "::2");
  for (unsigned i = 0; i < kIp6WalkMax; ++i) chain.destination_options();
  EXPECT_EQ(walk_ip6_extensions(chain.bytes()).end, Ip6WalkEnd::UpperLayer);
  EXPECT_EQ(walk_ip6_extensions(chain.destination_options().bytes()).end, Ip6WalkEnd::TooMany);
  const Bytes whole = packet().ip6("::1", "::2").hop_by_hop(Bytes(14)).fragment(0, true).udp(1, 2);
  for (std::size_t n = 0; n < 64; ++n) {
    EXPECT_EQ(walk_ip6_extensions(std::span(whole).first(n)).end, Ip6WalkEnd::Truncated) << n;
  }
  Bytes huge(70000);
  huge[0] = 0x60;
  huge[6] = 60;
  for (std::size_t at = 40; at + 2 < huge.size(); at += 2048) huge[at] = 60, huge[at + 1] = 255;
  EXPECT_EQ(walk_ip6_extensions(huge).end, Ip6WalkEnd::TooMany);
}

TEST(FlowHash, IsTheSameByInstructionAndByTable) {
  // RFC 3720 section B.4: 32 bytes of zeros.
  const Bytes zeros(32);
  EXPECT_EQ(~crc32c_portable(0xffffffff, zeros.data(), zeros.size()), 0x8a9136aau);
  std::mt19937 random(3);
  for (std::size_t n = 0; n < 100; ++n) {
    Bytes bytes(n);
    for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
    EXPECT_EQ(crc32c(n * 7u, bytes.data(), n), crc32c_portable(n * 7u, bytes.data(), n)) << n;
  }
}

TEST(FlowHash, StaysWhatItWasInEveryRelease) {
  const auto key = flow_of(packet().ip4("10.0.0.1", "10.0.0.2").tcp(4000, 80));
  EXPECT_EQ(flow_hash(key), 3791804446u);  // by an implementation in Python
  EXPECT_NE(flow_hash(key), flow_hash(flow_of(packet().ip4("10.0.0.2", "10.0.0.1").tcp(80, 4000))));
}

TEST(FlowHash, IsTheSameForBothDirectionsWhenItIsToBe) {
  std::mt19937 random(5);
  for (int i = 0; i < 10000; ++i) {
    FlowKey key;
    for (auto& b : key.source) b = static_cast<std::uint8_t>(random() % 3);
    for (auto& b : key.destination) b = static_cast<std::uint8_t>(random() % 3);
    if (i % 10 == 0) key.destination = key.source;
    key.source_port = static_cast<std::uint16_t>(random());
    key.destination_port = i % 7 ? static_cast<std::uint16_t>(random()) : key.source_port;
    key.protocol = 6;
    FlowKey back = key;
    std::swap(back.source, back.destination);
    std::swap(back.source_port, back.destination_port);
    ASSERT_EQ(symmetric_flow_hash(key), symmetric_flow_hash(back)) << key.to_string();
    ASSERT_NE(symmetric_flow_hash(key), 0u);
    back.protocol = 17;
    ASSERT_NE(symmetric_flow_hash(key), symmetric_flow_hash(back)) << key.to_string();
  }
}

TEST(FlowHash, SpreadsPortsThatCountUpEvenly) {
  std::map<std::uint32_t, int> buckets;
  auto key = flow_of(packet().ip4("10.0.0.1", "10.0.0.2").tcp(1, 80));
  for (std::uint16_t port = 1; port <= 16000; ++port) {
    key.source_port = port;
    ++buckets[flow_hash(key) % 16];
  }
  for (const auto& [bucket, n] : buckets) EXPECT_NEAR(n, 1000, 150) << bucket;
}

}  // namespace
}  // namespace sluice
