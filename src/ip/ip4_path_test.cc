// SPDX-License-Identifier: Apache-2.0
// IPv4 through the whole graph.
#include <gtest/gtest.h>

#include "ip/ip_path_fixture.h"
#include "ip/neighbor_messages.h"

namespace sluice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

struct Ip4Path : ::testing::Test, IpPath {
  InterfaceIndex a = tun(), b = tun(1400);
  Ip4Path() {
    route4("10.1.0.5/32", add(ForwardingKind::Adjacency, a));
    route4("10.1.0.6/32", add(ForwardingKind::Adjacency, b));
    own4(ethernet_interface("02::1"), "192.0.2.1", 24);
  }
};

TEST_F(Ip4Path, CarriesAPingFromPodToPodAndBack) {
  const Bytes echo = icmp(kIcmpEcho, 0, payload(56)), reply = icmp(kIcmpEchoReply, 0, payload(56));
  receive(a, "ip4-input", ip4_packet("10.1.0.5", "10.1.0.6", kIpProtocolIcmp, echo));
  EXPECT_EQ(take(b), std::vector<Bytes>{ip4_packet("10.1.0.5", "10.1.0.6", kIpProtocolIcmp, echo, 63)});
  receive(b, "ip4-input", ip4_packet("10.1.0.6", "10.1.0.5", kIpProtocolIcmp, reply));
  EXPECT_EQ(take(a), std::vector<Bytes>{ip4_packet("10.1.0.6", "10.1.0.5", kIpProtocolIcmp, reply, 63)});
}

TEST_F(Ip4Path, AnswersAPingToThisNode) {
  receive(a, "ip4-input", ip4_packet("10.1.0.5", "192.0.2.1", kIpProtocolIcmp, icmp(kIcmpEcho, 0, payload(57))));
  const auto out = take(a);
  ASSERT_EQ(out.size(), 1u);
  Bytes expected = ip4_packet("192.0.2.1", "10.1.0.5", kIpProtocolIcmp, icmp(kIcmpEchoReply, 0, payload(57)));
  EXPECT_EQ(out[0], expected);
}

TEST_F(Ip4Path, TellsTheSourceThatTheTtlRanOut) {
  const Bytes sent = ip4_packet("10.1.0.5", "10.1.0.6", 17, udp(5000, 33434, payload(32)), 1);
  receive(a, "ip4-input", sent);
  const auto out = take(a);
  ASSERT_EQ(out.size(), 1u);
  Bytes error = out[0];
  EXPECT_TRUE(header_checksum_right(error));
  EXPECT_EQ(as<Ip4Header>(error).source, ip4("192.0.2.1"));
  EXPECT_EQ(as<Ip4Header>(error).destination, ip4("10.1.0.5"));
  EXPECT_EQ(as<IcmpHeader>(error, 20).type, kIcmpTimeExceeded);
  EXPECT_EQ(checksum_fold(checksum_add(0, error.data() + 20, error.size() - 20)), 0xffff);
  EXPECT_EQ(Bytes(error.begin() + 28, error.end()), sent);
  EXPECT_EQ(drops("ip4-icmp-error", "ttl-expired"), 1u);
}

TEST_F(Ip4Path, TellsTheSourceOfNoRoute) {
  receive(a, "ip4-input", ip4_packet("10.1.0.5", "203.0.113.1", 17, udp(1, 2, payload(8))));
  auto out = take(a);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(as<IcmpHeader>(out[0], 20).type, kIcmpUnreachable);
  EXPECT_EQ(as<IcmpHeader>(out[0], 20).code, 0);
  EXPECT_EQ(drops("ip4-icmp-error", "no-route"), 1u);
}

TEST_F(Ip4Path, FragmentsWhatIsTooLongAndPutsFragmentsForItselfTogether) {
  const Bytes body = payload(3001);
  receive(a, "ip4-input", ip4_packet("10.1.0.5", "10.1.0.6", 99, body));
  auto out = take(b);
  ASSERT_EQ(out.size(), 3u);
  Bytes joined;
  for (auto& f : out) {
    EXPECT_LE(f.size(), 1400u);
    EXPECT_TRUE(header_checksum_right(f));
    EXPECT_EQ(as<Ip4Header>(f).ttl, 63);
    EXPECT_EQ((as<Ip4Header>(f).fragment.host() & 0x1fff) * 8u, joined.size());
    joined = joined + Bytes(f.begin() + 20, f.end());
  }
  EXPECT_EQ(joined, body);

  // The answer to a long echo request in fragments comes back whole, in fragments of the output's MTU.
  const Bytes echo = icmp(kIcmpEcho, 0, payload(2992));
  const auto fragment = [&](std::size_t from, std::size_t n, bool more) {
    return ip4_packet("10.1.0.6", "192.0.2.1", kIpProtocolIcmp,
                      Bytes(echo.begin() + static_cast<long>(from), echo.begin() + static_cast<long>(from + n)), 64,
                      static_cast<std::uint16_t>(from / 8 | (more ? 0x2000 : 0)));
  };
  receive(b, "ip4-input", fragment(1600, 1400, false));
  receive(b, "ip4-input", fragment(800, 800, true));
  EXPECT_TRUE(take(b).empty());
  receive(b, "ip4-input", fragment(0, 800, true));
  joined.clear();
  for (auto& f : take(b)) joined = joined + Bytes(f.begin() + 20, f.end());
  EXPECT_EQ(joined, icmp(kIcmpEchoReply, 0, payload(2992)));
}

TEST_F(Ip4Path, ReturnsFragmentationNeededWithTheMtu) {
  receive(a, "ip4-input", ip4_packet("10.1.0.5", "10.1.0.6", 17, udp(1, 2, payload(1400)), 64, 0x4000));
  auto out = take(a);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].size(), 576u);
  EXPECT_EQ(as<IcmpHeader>(out[0], 20).code, 4);
  EXPECT_EQ(as<IcmpHeader>(out[0], 20).sequence.host(), 1400);
}

TEST_F(Ip4Path, HoldsPacketsWhileTheirNeighbourIsResolvedAndSendsThemInOrder) {
  const auto eth = ethernet_interface("02::9");
  const auto neighbour = add(ForwardingKind::Connected, eth);
  route4("198.51.100.0/24", neighbour);
  for (std::uint8_t i = 0; i < 3; ++i) {
    receive(a, "ip4-input", ip4_packet("10.1.0.5", "198.51.100.7", 17, udp(i, 2, payload(8))));
  }
  EXPECT_TRUE(take(eth).empty());
  const auto asked = messages();
  ASSERT_EQ(asked.size(), 1u);
  const auto wanted = asked[0].as<NeighborWanted>();
  EXPECT_EQ(asked[0].kind, ip.neighbor_wanted);
  EXPECT_EQ(wanted.interface, eth);
  EXPECT_EQ(wanted.address, IpAddress(ip4("198.51.100.7")));
  release();
  EXPECT_TRUE(take(eth).empty());

  const Bytes rewrite = ethernet("02::7", "02::9", kEthertypeIp4, {});
  route4("198.51.100.7/32", add(ForwardingKind::Adjacency, eth, rewrite));
  release();
  const auto out = take(eth);
  ASSERT_EQ(out.size(), 3u);
  for (std::uint8_t i = 0; i < 3; ++i) {
    EXPECT_EQ(out[i], rewrite + ip4_packet("10.1.0.5", "198.51.100.7", 17, udp(i, 2, payload(8)), 63));
  }
}

TEST_F(Ip4Path, KeepsWaitingForTheMemberOfAGroupThatItsFlowTakes) {
  const auto eth = ethernet_interface("02::9");
  const auto member = add(ForwardingKind::Incomplete, eth);
  Forwarding group;
  group.kind = ForwardingKind::Group;
  group.group_size = 2;
  group.members = std::make_unique<ForwardingIndex[]>(2);
  group.members[0] = group.members[1] = member;
  route4("198.51.100.0/24", *ip.tables.forwarding.add(std::move(group)));
  receive(a, "ip4-input", ip4_packet("10.1.0.5", "198.51.100.7", 17, udp(1, 2, payload(8))));
  EXPECT_EQ(messages().size(), 1u);
  for (int i = 0; i < 5; ++i) release();
  EXPECT_TRUE(messages().empty()) << "it is not asked for again with every look";
  Forwarding complete;
  complete.kind = ForwardingKind::Adjacency;
  complete.interface = eth;
  ip.tables.forwarding.replace(member, std::move(complete));
  release();
  EXPECT_EQ(take(eth).size(), 1u);
}

TEST_F(Ip4Path, TellsTheSourceWhenTheNeighbourDoesNotAnswer) {
  const auto eth = ethernet_interface("02::9");
  route4("198.51.100.7/32", add(ForwardingKind::Incomplete, eth));
  receive(a, "ip4-input", ip4_packet("10.1.0.5", "198.51.100.7", 17, udp(1, 2, payload(8))));
  route4("198.51.100.7/32", add(ForwardingKind::Unreachable));
  release();
  auto out = take(a);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(as<IcmpHeader>(out[0], 20).code, 1);
  EXPECT_EQ(drops("ip4-icmp-error", "host-unreachable"), 1u);
}

TEST_F(Ip4Path, PuntsToTheHostWhatNobodyTakesAndAnswersUnreachableWithoutAHost) {
  const Bytes packet = ip4_packet("10.1.0.5", "192.0.2.1", 17, udp(1, 53, payload(8)));
  receive(a, "ip4-input", packet);
  auto out = take(a);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(as<IcmpHeader>(out[0], 20).code, 3);
  EXPECT_EQ(drops("ip4-icmp-error", "port-unreachable"), 1u);

  const auto host = ethernet_interface("02::a");
  ip.punt.update([&](PuntTarget& t) { t = {host, true, mac("02::b")}; });
  receive(a, "ip4-input", packet);
  EXPECT_EQ(take(host), std::vector<Bytes>{ethernet("02::b", "02::a", kEthertypeIp4, packet)});
  receive(host, "ip4-input", packet);
  EXPECT_EQ(drops("ip4-punt", "from-host"), 1u);
}

TEST_F(Ip4Path, SendsByAVlanWithItsTags) {
  const auto parent = ethernet_interface("02::9");
  const auto vlan = world.add_interface([&](InterfaceState& s) {
    s.mac = mac("02::9");
    s.parent = parent;
    s.outer_vlan = 100;
    s.inner_vlan = 7;
    s.output_node = world.graph().find("vlan-output");
  });
  route4("198.51.100.7/32", add(ForwardingKind::Adjacency, vlan, ethernet("02::7", "02::9", kEthertypeIp4, {})));
  receive(a, "ip4-input", ip4_packet("10.1.0.5", "198.51.100.7", 17, udp(1, 2, payload(8))));
  const Bytes tags{0x88, 0xa8, 0, 100, 0x81, 0, 0, 7, 8, 0};
  EXPECT_EQ(take(parent), std::vector<Bytes>{cut(ethernet("02::7", "02::9", 0, {}), 12) + tags +
                                             ip4_packet("10.1.0.5", "198.51.100.7", 17, udp(1, 2, payload(8)), 63)});
}

}  // namespace
}  // namespace sluice
