// SPDX-License-Identifier: Apache-2.0
#include "sluice/kernels/ip4_lookup.h"

#include <gtest/gtest.h>

#include <set>

#include "ip/forwarding_fixture.h"

namespace sluice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using Next = Ip4Lookup::Next;
using Drop = Ip4Lookup::Drop;

constexpr InterfaceIndex kOut{3, 1};

struct Ip4LookupTest : ::testing::Test, ForwardingFixture {
  NodeTest<Ip4Lookup> node{tables};
  Bytes to(std::string_view destination, std::uint16_t port = 80) {
    return ip4_packet("10.9.9.9", destination, kIpProtocolUdp, udp(port, 53, payload(20)));
  }
  /// Runs one packet and returns it for a look at its metadata; the caller frees it.
  Packet* through(const Bytes& bytes, Ip4Lookup::Verdict expected) {
    Packet* packet = node.world.make(bytes);
    packet->l3_offset = packet->offset();
    auto key = node.kernel.prepare(*packet, node.world.worker());
    for (std::size_t s = 0; s < Ip4Lookup::kSteps; ++s) node.kernel.step(*packet, key, node.world.worker());
    node.kernel.settle(*packet, key, node.world.worker());
    EXPECT_EQ(node.kernel.finish(*packet, key, node.world.worker(), nullptr), expected);
    return packet;
  }
};

TEST_F(Ip4LookupTest, GoesFurtherTogetherWhileManyAddressesEndDeep) {
  const auto target = adjacency(kOut);
  route4("10.1.2.7/32", target);
  route4("10.1.2.8/32", target);
  const std::vector<Bytes> deep(64, to("10.1.2.7"));
  EXPECT_EQ(node.kernel.steps(), Ip4Lookup::kSteps);
  for (int i = 0; i < 8; ++i) node.run(deep);
  EXPECT_GT(node.kernel.steps(), Ip4Lookup::kSteps);
  EXPECT_LE(node.kernel.steps(), Ip4Lookup::kMostSteps);
  const std::vector<Bytes> shallow(64, to("192.0.2.1"));
  for (int i = 0; i < 1024; ++i) node.kernel.begin(node.world.worker());
  EXPECT_EQ(node.kernel.steps(), Ip4Lookup::kSteps);
  EXPECT_EQ(node.run(shallow)[0], verdict(Next::Ip4IcmpError));
}

TEST_F(Ip4LookupTest, SendsToTheLongestPrefixsAdjacency) {
  route4("0.0.0.0/0", adjacency(InterfaceIndex{1, 1}));
  route4("10.0.0.0/8", adjacency(InterfaceIndex{2, 1}));
  route4("10.1.2.0/24", adjacency(kOut));
  route4("10.1.2.7/32", add(ForwardingKind::Local));
  const auto out = node.run({to("10.1.2.3"), to("10.1.3.3"), to("198.51.100.1"), to("10.1.2.7")});
  EXPECT_EQ(out[0], verdict(Next::Ip4Rewrite).on(kOut).with(to("10.1.2.3")));
  EXPECT_EQ(out[1], verdict(Next::Ip4Rewrite).on(InterfaceIndex{2, 1}));
  EXPECT_EQ(out[2], verdict(Next::Ip4Rewrite).on(InterfaceIndex{1, 1}));
  EXPECT_EQ(out[3], verdict(Next::Ip4Local));
}

TEST_F(Ip4LookupTest, SendsToResolutionWhatHasNoCompleteAdjacency) {
  route4("10.1.0.0/24", add(ForwardingKind::Connected, kOut));
  route4("10.2.0.0/24", add(ForwardingKind::Incomplete, kOut));
  const auto out = node.run({to("10.1.0.1"), to("10.2.0.1")});
  EXPECT_EQ(out[0], verdict(Next::Ip4Arp).on(kOut));
  EXPECT_EQ(out[1], verdict(Next::Ip4Arp).on(kOut));
}

TEST_F(Ip4LookupTest, TellsTheSourceWhyThereIsNoWay) {
  route4("10.1.0.0/16", add(ForwardingKind::Unreachable));
  route4("10.2.0.0/16", add(ForwardingKind::Prohibit));
  const struct {
    const char* destination;
    std::uint8_t code;
  } cases[] = {{"192.0.2.1", 0}, {"10.1.0.1", 1}, {"10.2.0.1", 13}};
  for (const auto& c : cases) {
    Packet* packet = through(to(c.destination), Next::Ip4IcmpError);
    EXPECT_EQ(packet->icmp_error.type, kIcmpUnreachable);
    EXPECT_EQ(packet->icmp_error.code, c.code) << c.destination;
    node.world.worker().buffers().free(packet);
  }
}

TEST_F(Ip4LookupTest, DropsWhatABlackholeRouteTakes) {
  route4("10.1.0.0/16", add(ForwardingKind::Blackhole));
  EXPECT_EQ(node.run({to("10.1.0.1")})[0], verdict(Drop::Blackhole));
}

TEST_F(Ip4LookupTest, DropsPacketsOfATableThatIsGone) {
  node.prepare = [](Packet& packet) { packet.table = TableIndex{7}; };
  EXPECT_EQ(node.run({to("10.1.0.1")})[0], verdict(Drop::NoTable));
  node.prepare = [](Packet& packet) { packet.table = TableIndex{}; };
  EXPECT_EQ(node.run({to("10.1.0.1")})[0], verdict(Drop::NoTable));
}

TEST_F(Ip4LookupTest, LooksInTheTableThatThePacketNames) {
  Fib<Ip4Address> other(tables.nodes4);
  tables.ip4.set(TableIndex{1}, &other);
  EXPECT_TRUE(other.set(*Prefix<Ip4Address>::parse("10.0.0.0/8"), adjacency(kOut)).ok());
  node.prepare = [](Packet& packet) { packet.table = TableIndex{1}; };
  EXPECT_EQ(node.run({to("10.1.0.1")})[0], verdict(Next::Ip4Rewrite).on(kOut));
  tables.ip4.set(TableIndex{1}, nullptr);
}

TEST_F(Ip4LookupTest, SpreadsFlowsOverAGroupAndKeepsEachOnItsPath) {
  route4("10.0.0.0/8", group({adjacency(InterfaceIndex{1, 1}), adjacency(InterfaceIndex{2, 1}),
                              adjacency(InterfaceIndex{3, 1}), adjacency(InterfaceIndex{4, 1})}));
  std::vector<Bytes> flows;
  for (std::uint16_t port = 1; port <= 200; ++port) flows.push_back(to("10.0.0.1", port));
  std::set<std::uint32_t> used;
  for (const auto& out : node.run(flows)) {
    EXPECT_EQ(out, verdict(Next::Ip4Rewrite));
    used.insert(out.tx_interface.value);
  }
  EXPECT_EQ(used.size(), 4u);
}

TEST_F(Ip4LookupTest, KeepsAllFragmentsOfAPacketOnOnePath) {
  route4("10.0.0.0/8", group({adjacency(InterfaceIndex{1, 1}), adjacency(InterfaceIndex{2, 1})}));
  std::set<std::uint32_t> used;
  std::vector<Bytes> fragments;
  fragments.push_back(ip4_packet("10.9.9.9", "10.0.0.1", 17, udp(5, 6, payload(16)), 64, 0x2000));
  for (std::uint16_t i = 1; i < 20; ++i) {
    fragments.push_back(ip4_packet("10.9.9.9", "10.0.0.1", 17, payload(24u + i), 64, i));
  }
  for (const auto& out : node.run(fragments)) used.insert(out.tx_interface.value);
  EXPECT_EQ(used.size(), 1u);
}

}  // namespace
}  // namespace sluice
