// SPDX-License-Identifier: Apache-2.0
// IPv6 through the whole graph.
#include <gtest/gtest.h>

#include "ip/ip6_nd_input.h"
#include "ip/ip_path_fixture.h"

namespace sluice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

Bytes icmp6(std::uint8_t type, std::uint8_t code, const Bytes& body, std::uint16_t id = 7, std::uint16_t sequence = 1) {
  return wire(IcmpHeader{type, code, be16{}, be16(id), be16(sequence)}) + body;
}

struct Ip6Path : ::testing::Test, IpPath {
  InterfaceIndex a = tun(), b = tun(1400), eth = ethernet_interface("02::1");
  Ip6Path() {
    route6("fd00::5/128", add(ForwardingKind::Adjacency, a));
    route6("fd00::6/128", add(ForwardingKind::Adjacency, b));
    own6(eth, "2001:db8::1", 64);
    own6(eth, "fe80::1", 64);
    ip.addresses.update([](AddressTable& t) { t.fallback6 = ip6("2001:db8::1"); });
    const auto direct = add(ForwardingKind::Connected, eth);
    ip.tables.links.update([&](LinkTable& t) {
      t.by_slot.resize(eth.slot() + 1);
      t.by_slot[eth.slot()] = {direct, {ip6("fe80::1")}};
    });
  }
  std::vector<Bytes> answers(InterfaceIndex in, const Bytes& packet) {
    receive(in, "ip6-input", packet);
    return take(in);
  }
  static void expect_error(Bytes& out, std::uint8_t type, std::uint8_t code, const Bytes& quoted) {
    const auto& header = as<Ip6Header>(out);
    EXPECT_EQ(header.source, ip6("2001:db8::1"));
    EXPECT_EQ(as<IcmpHeader>(out, 40).type, type);
    EXPECT_EQ(as<IcmpHeader>(out, 40).code, code);
    EXPECT_LE(out.size(), 1280u);
    const auto length = static_cast<std::uint32_t>(out.size() - 40);
    EXPECT_EQ(header.payload_length.host(), length);
    EXPECT_EQ(checksum_fold(checksum_add(pseudo_header_sum(header, kIpProtocolIcmp6, length), out.data() + 40, length)),
              0xffff);
    const auto n = std::min(quoted.size(), out.size() - 48);
    EXPECT_TRUE(std::equal(out.begin() + 48, out.end(), quoted.begin(), quoted.begin() + static_cast<long>(n)));
  }
};

TEST_F(Ip6Path, CarriesAPingFromPodToPodAndBack) {
  const Bytes there = icmp6_packet("fd00::5", "fd00::6", icmp6(kIcmp6Echo, 0, payload(56)));
  receive(a, "ip6-input", there);
  Bytes expected = there;
  as<Ip6Header>(expected).hop_limit = 63;
  EXPECT_EQ(take(b), std::vector<Bytes>{expected});
  const Bytes back = icmp6_packet("fd00::6", "fd00::5", icmp6(kIcmp6EchoReply, 0, payload(56)));
  receive(b, "ip6-input", back);
  EXPECT_EQ(take(a).size(), 1u);
}

TEST_F(Ip6Path, AnswersAPingToThisNode) {
  const auto out = answers(a, icmp6_packet("fd00::5", "2001:db8::1", icmp6(kIcmp6Echo, 0, payload(57))));
  EXPECT_EQ(out, std::vector<Bytes>{icmp6_packet("2001:db8::1", "fd00::5", icmp6(kIcmp6EchoReply, 0, payload(57)))});
}

TEST_F(Ip6Path, TellsTheSourceWhyAPacketGoesNoFurther) {
  const Bytes probe = udp(5000, 33434, payload(32));
  const struct {
    const char* destination;
    std::uint8_t hop_limit, type, code;
    const char* reason;
  } cases[] = {
      {"fd00::6", 1, kIcmp6TimeExceeded, 0, "hop-limit-exceeded"},
      {"2001:db8:9::1", 64, kIcmp6Unreachable, 0, "no-route"},
      {"2001:db8::1", 64, kIcmp6Unreachable, 4, "port-unreachable"},
  };
  for (const auto& c : cases) {
    const Bytes packet = ip6_packet("fd00::5", c.destination, kIpProtocolUdp, probe, c.hop_limit);
    auto out = answers(a, packet);
    ASSERT_EQ(out.size(), 1u) << c.reason;
    expect_error(out[0], c.type, c.code, packet);
    EXPECT_EQ(drops("ip6-icmp-error", c.reason), 1u);
  }
}

TEST_F(Ip6Path, ReturnsPacketTooBigWithTheMtu) {
  const Bytes packet = ip6_packet("fd00::5", "fd00::6", kIpProtocolUdp, udp(1, 2, payload(1400)));
  auto out = answers(a, packet);
  ASSERT_EQ(out.size(), 1u);
  expect_error(out[0], kIcmp6PacketTooBig, 0, packet);
  EXPECT_EQ(out[0].size(), 1280u);
  EXPECT_EQ(as<IcmpHeader>(out[0], 40).sequence.host(), 1400);
}

TEST_F(Ip6Path, PutsFragmentsTogetherAndAnswersInFragments) {
  const Bytes whole = icmp6_packet("fd00::6", "2001:db8::1", icmp6(kIcmp6Echo, 0, payload(2992)));
  const auto fragment = [&](std::size_t from, std::size_t n, bool more) {
    const Ip6FragmentHeader header{kIpProtocolIcmp6, 0, be16(static_cast<std::uint16_t>(from | (more ? 1 : 0))),
                                   be32(77u)};
    const auto begin = whole.begin() + 40 + static_cast<long>(from);
    return ip6_packet("fd00::6", "2001:db8::1", kIpProtocolFragment,
                      wire(header) + Bytes(begin, begin + static_cast<long>(n)));
  };
  receive(b, "ip6-input", fragment(800, 800, true));
  receive(b, "ip6-input", fragment(1600, 1400, false));
  EXPECT_TRUE(take(b).empty());
  receive(b, "ip6-input", fragment(0, 800, true));
  Bytes joined;
  auto out = take(b);
  ASSERT_EQ(out.size(), 3u);
  for (auto& f : out) {
    EXPECT_LE(f.size(), 1400u);
    EXPECT_EQ(as<Ip6Header>(f).next_header, kIpProtocolFragment);
    EXPECT_EQ(as<Ip6FragmentHeader>(f, 40).offset_more.host() & 0xfff8u, joined.size());
    joined = joined + Bytes(f.begin() + 48, f.end());
  }
  const Bytes expected = icmp6_packet("2001:db8::1", "fd00::6", icmp6(kIcmp6EchoReply, 0, payload(2992)));
  EXPECT_EQ(joined, Bytes(expected.begin() + 40, expected.end()));
}

TEST_F(Ip6Path, KeepsLinkLocalPacketsOnTheirLink) {
  receive(a, "ip6-input", ip6_packet("fe80::9", "fe80::1", kIpProtocolUdp, udp(1, 2, payload(8))));
  EXPECT_EQ(drops("ip6-lookup", "other-link"), 1u);
  auto out = answers(a, ip6_packet("fe80::9", "fd00::6", kIpProtocolUdp, udp(1, 2, payload(8))));
  EXPECT_EQ(drops("ip6-icmp-error", "beyond-scope"), 1u);
  EXPECT_TRUE(take(b).empty());
}

TEST_F(Ip6Path, AnswersALinkLocalPingOnItsLinkOnceTheNeighbourIsKnown) {
  receive(eth, "ip6-input", icmp6_packet("fe80::9", "fe80::1", icmp6(kIcmp6Echo, 0, payload(8))));
  EXPECT_TRUE(take(eth).empty());
  const auto asked = messages();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].as<NeighborWanted>().address, IpAddress(ip6("fe80::9")));
  const Bytes rewrite = ethernet("02::9", "02::1", kEthertypeIp6, {});
  const auto adjacency = add(ForwardingKind::Adjacency, eth, rewrite);
  ip.tables.links.update([&](LinkTable& t) { t.neighbors.push_back({eth, ip6("fe80::9"), adjacency}); });
  release();
  EXPECT_EQ(take(eth),
            std::vector<Bytes>{rewrite + icmp6_packet("fe80::1", "fe80::9", icmp6(kIcmp6EchoReply, 0, payload(8)))});
}

TEST_F(Ip6Path, AnswersANeighbourSolicitation) {
  const Bytes message = wire(NeighborMessage{kIcmp6NeighborSolicitation, 0, be16{}, be32{}, ip6("2001:db8::1")}) +
                        wire(LinkAddressOption{LinkAddressOption::kSource, 1, mac("02::9")});
  const Bytes packet = icmp6_packet("2001:db8::9", "ff02::1:ff00:1", message, 255);
  receive(eth, "ethernet-input", ethernet("33:33:ff:00:00:01", "02::9", kEthertypeIp6, packet));
  const Bytes advert =
      wire(NeighborMessage{kIcmp6NeighborAdvertisement, 0, be16{}, be32(0x60000000u), ip6("2001:db8::1")}) +
      wire(LinkAddressOption{LinkAddressOption::kTarget, 1, mac("02::1")});
  EXPECT_EQ(take(eth), std::vector<Bytes>{ethernet("02::9", "02::1", kEthertypeIp6,
                                                   icmp6_packet("2001:db8::1", "2001:db8::9", advert, 255))});
  const auto heard = messages();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0].kind, ip.neighbor_seen);
  EXPECT_EQ(heard[0].as<NeighborSeen>().mac, mac("02::9"));
  EXPECT_TRUE(heard[0].as<NeighborSeen>().asked_us);
}

TEST_F(Ip6Path, DefendsAnAddressAgainstAProbeByAnsweringAllNodes) {
  const Bytes probe = wire(NeighborMessage{kIcmp6NeighborSolicitation, 0, be16{}, be32{}, ip6("2001:db8::1")});
  receive(eth, "ethernet-input",
          ethernet("33:33:ff:00:00:01", "02::9", kEthertypeIp6, icmp6_packet("::", "ff02::1:ff00:1", probe, 255)));
  auto out = take(eth);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(as<EthernetHeader>(out[0]).destination, mac("33:33::1"));
  EXPECT_EQ(as<Ip6Header>(out[0], 14).destination, ip6("ff02::1"));
  EXPECT_EQ(as<NeighborMessage>(out[0], 54).flags.host(), 0x20000000u);
}

TEST_F(Ip6Path, PointsAtAHopByHopOptionThatItMustNotIgnore) {
  const Bytes options{kIpProtocolUdp, 0, 0x9e, 4, 0, 0, 0, 0};
  const Bytes packet = ip6_packet("fd00::5", "fd00::6", kIpProtocolHopByHop, options + udp(1, 2, payload(8)));
  auto out = answers(a, packet);
  ASSERT_EQ(out.size(), 1u);
  expect_error(out[0], kIcmp6ParameterProblem, 2, packet);
  EXPECT_EQ(as<IcmpHeader>(out[0], 40).sequence.host(), 42);
}

TEST_F(Ip6Path, NamesTheHeaderThatNobodyTakes) {
  const Bytes packet = ip6_packet("fd00::5", "2001:db8::1", 200, payload(8));
  auto out = answers(a, packet);
  ASSERT_EQ(out.size(), 1u);
  expect_error(out[0], kIcmp6ParameterProblem, 1, packet);
  EXPECT_EQ(as<IcmpHeader>(out[0], 40).sequence.host(), 6);
}

}  // namespace
}  // namespace sluice
