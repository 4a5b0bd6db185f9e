// SPDX-License-Identifier: Apache-2.0
// Super-packets inside tunnels: every header around them must be true for each segment.
#include <gtest/gtest.h>

#include <random>

#include "interface/software_offload.h"
#include "sluice/testing/node_test.h"
#include "sluice/testing/packet_builder.h"

namespace sluice {
namespace {

using testing::Bytes;
using testing::NodeTest;
using testing::packet;

constexpr std::size_t kTcp = 20;

std::uint16_t get16(const Bytes& bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes.at(at) << 8 | bytes.at(at + 1));
}
// The receiver's arithmetic, byte by byte: not the code under test.
std::uint16_t plain_sum(const Bytes& bytes, std::size_t from, std::size_t to, std::uint32_t sum = 0) {
  for (std::size_t i = from; i < to; ++i) sum += (i - from) % 2 ? bytes[i] : std::uint32_t{bytes[i]} << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

enum class Wrap { IpIp4, IpIp6, Vxlan4, Vxlan4Sum, Vxlan6Sum };

Bytes wrap(Wrap kind, const Bytes& inner) {
  const std::uint8_t protocol = inner[0] >> 4 == 6 ? 41 : 4;
  const auto vxlan = [&] {
    Bytes bytes = packet().ethernet("02::1", "02::2").payload(inner).bytes();
    bytes[12] = protocol == 41 ? 0x86 : 0x08;
    bytes[13] = protocol == 41 ? 0xdd : 0x00;
    const Bytes header{8, 0, 0, 0, 0, 0, 7, 0};
    Bytes all(header.size() + bytes.size());
    std::copy(header.begin(), header.end(), all.begin());
    std::copy(bytes.begin(), bytes.end(), all.begin() + static_cast<std::ptrdiff_t>(header.size()));
    return all;
  };
  switch (kind) {
    case Wrap::IpIp4: return packet().ip4("192.0.2.1", "192.0.2.2").id(77).payload(inner).protocol(protocol).bytes();
    case Wrap::IpIp6: return packet().ip6("fd00::1", "fd00::2").payload(inner).protocol(protocol).bytes();
    case Wrap::Vxlan4:
      return packet().ip4("192.0.2.3", "192.0.2.4").id(5).udp(50000, 4789).checksum(0).payload(vxlan()).bytes();
    case Wrap::Vxlan4Sum: return packet().ip4("192.0.2.3", "192.0.2.4").id(9).udp(50000, 4789).payload(vxlan()).bytes();
    case Wrap::Vxlan6Sum: return packet().ip6("fd00::3", "fd00::4").udp(50000, 4789).payload(vxlan()).bytes();
  }
  return {};
}

/// Walks over a segment's headers and checks each; returns where the TCP header is.
std::size_t check_headers(const Bytes& s, std::size_t at, const Bytes& whole, std::size_t number) {
  for (int depth = 0; depth < 10; ++depth) {
    const bool ip6 = s.at(at) >> 4 == 6;
    const std::size_t behind = at + (ip6 ? 40 : 20);
    const std::uint8_t protocol = s.at(at + (ip6 ? 6 : 9));
    if (ip6) {
      EXPECT_EQ(get16(s, at + 4), s.size() - behind);
    } else {
      EXPECT_EQ(get16(s, at + 2), s.size() - at);
      EXPECT_EQ(plain_sum(s, at, behind), 0xffff);
      EXPECT_EQ(get16(s, at + 4), static_cast<std::uint16_t>(get16(whole, at + 4) + number));
    }
    const std::size_t addresses = at + (ip6 ? 8 : 12), count = ip6 ? 32 : 8;
    const std::uint32_t pseudo =
        plain_sum(s, addresses, addresses + count) + protocol + static_cast<std::uint32_t>(s.size() - behind);
    if (protocol == 6) {
      EXPECT_EQ(plain_sum(s, behind, s.size(), pseudo), 0xffff);
      return behind;
    }
    at = behind;
    if (protocol == 17) {
      EXPECT_EQ(get16(s, behind + 4), s.size() - behind);
      EXPECT_EQ(get16(s, behind + 6) != 0, get16(whole, behind + 6) != 0);
      if (get16(s, behind + 6) != 0) {
        EXPECT_EQ(plain_sum(s, behind, s.size(), pseudo), 0xffff);
      }
      at = behind + 8 + 8 + 14;
    }
  }
  ADD_FAILURE() << "no TCP";
  return 0;
}

struct SoftwareOffloadTunnel : ::testing::Test {
  NodeTest<SoftwareOffload> node;
  InterfaceIndex tx;

  std::vector<Bytes> cut(const std::vector<Wrap>& around, std::size_t size, std::uint16_t gso_size, Bytes& whole,
                         const Offloads& offloads = {}) {
    node.neighbours_matter = true;
    tx = node.world.add_interface([&](InterfaceState& s) {
      s.link = LinkLayer::Ip;
      s.offloads = offloads;
    });
    const bool inner6 = size % 2 == 0;
    whole = inner6 ? packet().ip6("fd00:1::1", "fd00:1::2").tcp(1, 2).payload_size(size).bytes()
                   : packet().ip4("10.1.0.1", "10.2.0.1").id(1000).tcp(1, 2).payload_size(size).bytes();
    const std::size_t inner_bytes = whole.size();
    for (const Wrap kind : around) whole = wrap(kind, whole);
    const std::size_t l4 = whole.size() - inner_bytes + (inner6 ? 40 : 20);
    node.prepare = [=, this](Packet& p) {
      p.tx_interface = tx;
      p.flags |= kGso | kChecksumPartial;
      p.gso_type = inner6 ? GsoType::Tcp6 : GsoType::Tcp4;
      p.gso_size = gso_size;
      p.checksum_start = static_cast<std::uint16_t>(p.offset() + l4);
      p.checksum_offset = 16;
      p.inner_l3_offset = static_cast<std::uint16_t>(p.offset() + l4 - (inner6 ? 40 : 20));
    };
    const auto out = node.run({whole})[0];
    EXPECT_EQ(out, testing::held());
    std::vector<Bytes> segments;
    for (const auto& emitted : out.emitted) segments.push_back(emitted.bytes);
    return segments;
  }
};

TEST_F(SoftwareOffloadTunnel, CutsSuperPacketsInTunnelsOfEveryKindAndDepth) {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    std::vector<Wrap> around(1 + random() % SegmentLayout::kMaxOuter);
    for (Wrap& kind : around) kind = static_cast<Wrap>(random() % 5);
    const std::size_t size = 1 + random() % 20000;
    const auto gso_size = static_cast<std::uint16_t>(500 + random() % 1000);
    Bytes whole;
    const auto segments = cut(around, size, gso_size, whole);
    ASSERT_EQ(segments.size(), (size + gso_size - 1) / gso_size);
    std::size_t done = 0;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const std::size_t tcp = check_headers(segments[i], 0, whole, i), payload = tcp + kTcp;
      EXPECT_TRUE(std::equal(segments[i].begin() + static_cast<std::ptrdiff_t>(payload), segments[i].end(),
                             whole.begin() + static_cast<std::ptrdiff_t>(payload + done)));
      done += segments[i].size() - payload;
    }
    EXPECT_EQ(done, size);
  }
}

TEST_F(SoftwareOffloadTunnel, CutsThemAlsoForADeviceThatCutsPlainOnes) {
  Bytes whole;
  const Offloads all{.tx_checksum = true, .tx_tso4 = true, .tx_tso6 = true, .tx_uso = true};
  EXPECT_EQ(cut({Wrap::Vxlan4}, 3000, 1000, whole, all).size(), 3u);
}

TEST_F(SoftwareOffloadTunnel, DropsMoreTunnelsThanItCounts) {
  Bytes whole;
  node.neighbours_matter = true;
  tx = node.world.add_interface([](InterfaceState& s) { s.link = LinkLayer::Ip; });
  whole = packet().ip4("10.1.0.1", "10.2.0.1").tcp(1, 2).payload_size(100).bytes();
  for (std::size_t i = 0; i <= SegmentLayout::kMaxOuter; ++i) whole = wrap(Wrap::IpIp4, whole);
  node.prepare = [this](Packet& p) {
    p.tx_interface = tx;
    p.flags |= kGso | kChecksumPartial;
    p.gso_type = GsoType::Tcp4;
    p.gso_size = 50;
    p.checksum_start = static_cast<std::uint16_t>(p.offset() + 20 * (SegmentLayout::kMaxOuter + 2));
    p.checksum_offset = 16;
    p.inner_l3_offset = p.offset();
  };
  EXPECT_EQ(node.run({whole})[0], testing::verdict(SoftwareOffload::Drop::BadHeaders));
}

}  // namespace
}  // namespace sluice
