// SPDX-License-Identifier: Apache-2.0
#include "ip/neighbor_manager.h"

#include <gtest/gtest.h>

#include "ip/route_manager.h"
#include "ip/test_packets.h"
#include "sluice/testing/memory_interfaces.h"

namespace sluice {
namespace {

using testing::as;
using testing::ip4;
using testing::ip6;
using testing::mac;
using Ms = std::chrono::milliseconds;

struct NeighborManagerTest : ::testing::Test {
  Rcu rcu;
  IpState state{rcu};
  testing::MemoryInterfaces interfaces;
  RouteManager routes{state.tables, interfaces};
  std::vector<std::pair<InterfaceIndex, FrameBytes>> sent;
  int released = 0;
  NeighborManager neighbors{state,
                            routes,
                            interfaces,
                            [this](InterfaceIndex i, const FrameBytes& f) { sent.emplace_back(i, f); },
                            [this] { ++released; },
                            {.max_entries = 4, .max_asked = 40}};
  InterfaceIndex eth = interfaces.add("eth0"), pod = interfaces.add("pod/web", LinkLayer::Ip);
  const IpAddress peer = ip4("10.0.0.2"), peer6 = ip6("2001:db8::2");
  Ms now{0};

  NeighborManagerTest() {
    (void)interfaces.add_address(eth, {ip4("10.0.0.1"), 24});
    (void)interfaces.add_address(eth, {ip6("2001:db8::1"), 64});
    state.addresses.update([&](AddressTable& t) {
      t.by_slot.resize(eth.slot() + 1);
      t.by_slot[eth.slot()].ip4 = {{ip4("10.0.0.1"), 24, false}};
      t.by_slot[eth.slot()].ip6 = {{ip6("2001:db8::1"), 64, false}};
    });
  }
  void pass(int ms) {
    for (int i = 0; i < ms; i += 100) neighbors.tick(now += Ms{100});
  }
  void answer(const IpAddress& who, const char* from, bool solicited = true, bool overrides = true) {
    neighbors.seen({eth, who, mac(from), solicited, overrides, false, true});
  }
  const Forwarding& meets(const char* address) {
    return state.tables.forwarding.at(state.tables.ip4.find(TableIndex{0})->lookup(ip4(address)));
  }
  NeighborState state_of(std::size_t i = 0) { return neighbors.list().at(i).state; }
};

TEST_F(NeighborManagerTest, AsksOnceASecondThreeTimesThenGivesUp) {
  neighbors.wanted({eth, peer});
  ASSERT_EQ(sent.size(), 1u);
  const auto& arp = as<ArpHeader>(sent[0].second, sizeof(EthernetHeader));
  EXPECT_EQ(as<EthernetHeader>(sent[0].second).destination, MacAddress::broadcast());
  EXPECT_EQ(arp.sender, ip4("10.0.0.1"));
  EXPECT_EQ(arp.target, ip4("10.0.0.2"));
  pass(900);
  EXPECT_EQ(sent.size(), 1u);
  pass(2000);
  EXPECT_EQ(sent.size(), 3u);
  EXPECT_EQ(state_of(), NeighborState::Incomplete);
  pass(200);
  EXPECT_EQ(sent.size(), 3u);
  EXPECT_EQ(state_of(), NeighborState::Failed);
  EXPECT_EQ(released, 1);
  pass(5000);
  EXPECT_TRUE(neighbors.list().empty()) << "the next packet may ask again";
}

TEST_F(NeighborManagerTest, PacketsForASilentGatewayAreAnsweredUnreachable) {
  ASSERT_TRUE(
      routes.add(0, *IpPrefix::parse("192.0.2.0/24"), RouteSource::Static, {RouteKind::Forward, {{peer, {}, 1}}}).ok());
  EXPECT_EQ(meets("192.0.2.9").kind, ForwardingKind::Incomplete);
  neighbors.wanted({eth, peer});
  pass(3200);
  EXPECT_EQ(meets("192.0.2.9").kind, ForwardingKind::Unreachable);
  pass(5200);
  EXPECT_EQ(meets("192.0.2.9").kind, ForwardingKind::Incomplete);
}

TEST_F(NeighborManagerTest, AnAnswerCompletesTheRoutesAndReleasesWhatWaits) {
  neighbors.wanted({eth, peer});
  answer(peer, "02::aa");
  EXPECT_EQ(released, 1);
  EXPECT_EQ(state_of(), NeighborState::Reachable);
  EXPECT_EQ(meets("10.0.0.2").kind, ForwardingKind::Adjacency);
  EXPECT_EQ(meets("10.0.0.2").rewrite[5], 0xaa);
}

TEST_F(NeighborManagerTest, ProbesAKnownNeighbourDirectlyAndForgetsASilentOne) {
  neighbors.wanted({eth, peer});
  answer(peer, "02::aa");
  sent.clear();
  pass(30100);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(as<EthernetHeader>(sent[0].second).destination, mac("02::aa"));
  EXPECT_EQ(state_of(), NeighborState::Probe);
  EXPECT_EQ(meets("10.0.0.2").kind, ForwardingKind::Adjacency) << "it is used until it is known to be gone";
  answer(peer, "02::aa");
  EXPECT_EQ(state_of(), NeighborState::Reachable);
  pass(33500);
  EXPECT_TRUE(neighbors.list().empty());
  EXPECT_EQ(meets("10.0.0.2").kind, ForwardingKind::Connected);
}

TEST_F(NeighborManagerTest, ANeighbourThatMovesIsRewritten) {
  neighbors.wanted({eth, peer});
  answer(peer, "02::aa");
  answer(peer, "02::bb");
  EXPECT_EQ(meets("10.0.0.2").rewrite[5], 0xbb);
  EXPECT_EQ(neighbors.counters().moved, 1u);
}

TEST_F(NeighborManagerTest, OnlyAnAnswerShowsThatANeighbourIsReachable) {
  neighbors.wanted({eth, peer});
  answer(peer, "02::aa");
  for (int i = 0; i < 30; ++i) {
    pass(1000);
    answer(peer, "02::aa", false);
  }
  EXPECT_EQ(state_of(), NeighborState::Probe);
  sent.clear();
  for (int i = 0; i < 3; ++i) {
    pass(1000);
    answer(peer, "02::aa", false);
    answer(peer, "02::bb", false, false);
  }
  EXPECT_EQ(sent.size(), 2u);
  EXPECT_TRUE(neighbors.list().empty()) << "three questions without an answer";
}

TEST_F(NeighborManagerTest, ANeighbourThatMovesUnaskedIsUsedAndAskedDirectly) {
  neighbors.wanted({eth, peer});
  answer(peer, "02::aa");
  sent.clear();
  answer(peer, "02::bb", false);
  EXPECT_EQ(meets("10.0.0.2").rewrite[5], 0xbb);
  EXPECT_EQ(state_of(), NeighborState::Probe);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(as<EthernetHeader>(sent[0].second).destination, mac("02::bb"));
  for (const char* other : {"02::cc", "02::dd", "02::ee"}) {
    pass(1000);
    answer(peer, other, false);
  }
  EXPECT_TRUE(neighbors.list().empty()) << "who keeps moving does not gain time";
}

TEST_F(NeighborManagerTest, WhoAsksForThisNodeIsUsedAtOnceAndAskedAfterFiveSeconds) {
  neighbors.seen({eth, peer, mac("02::9"), false, true, true, true});
  EXPECT_EQ(state_of(), NeighborState::Probe);
  EXPECT_EQ(meets("10.0.0.2").kind, ForwardingKind::Adjacency);
  pass(4900);
  EXPECT_TRUE(sent.empty());
  pass(100);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(as<EthernetHeader>(sent[0].second).destination, mac("02::9"));
  answer(peer, "02::9");
  EXPECT_EQ(state_of(), NeighborState::Reachable);
}

TEST_F(NeighborManagerTest, WithoutTheOverrideFlagADifferentMacOnlyMakesItAsk) {
  neighbors.wanted({eth, peer6});
  answer(peer6, "02::aa");
  sent.clear();
  answer(peer6, "02::bb", false, false);
  EXPECT_EQ(state_of(), NeighborState::Probe);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(as<EthernetHeader>(sent[0].second).destination, mac("02::aa"));
  EXPECT_EQ(neighbors.list()[0].mac, mac("02::aa"));
}

TEST_F(NeighborManagerTest, SolicitsInIp6FromItsOwnAddressWithARightChecksum) {
  neighbors.wanted({eth, peer6});
  ASSERT_EQ(sent.size(), 1u);
  FrameBytes frame = sent[0].second;
  EXPECT_EQ(as<EthernetHeader>(frame).destination, mac("33:33:ff:00:00:02"));
  const auto& ip = as<Ip6Header>(frame, 14);
  EXPECT_EQ(ip.hop_limit, 255);
  EXPECT_EQ(ip.source, ip6("2001:db8::1"));
  EXPECT_EQ(ip.destination, ip6("ff02::1:ff00:2"));
  EXPECT_EQ(as<NeighborMessage>(frame, 54).target, ip6("2001:db8::2"));
  const auto length = static_cast<std::uint32_t>(frame.size() - 54);
  EXPECT_EQ(checksum_fold(checksum_add(pseudo_header_sum(ip, kIpProtocolIcmp6, length), frame.data() + 54, length)),
            0xffff);
}

TEST_F(NeighborManagerTest, LearnsWhoAsksForThisNodeOnlyInItsOwnSubnets) {
  neighbors.seen({eth, ip4("10.0.0.9"), mac("02::9"), false, true, true, true});
  neighbors.seen({eth, ip4("192.0.2.9"), mac("02::8"), false, true, true, true});
  neighbors.seen({eth, ip4("10.0.0.8"), mac("02::8"), false, true, false, true});
  ASSERT_EQ(neighbors.list().size(), 1u);
  EXPECT_EQ(neighbors.list()[0].address, IpAddress(ip4("10.0.0.9")));
}

TEST_F(NeighborManagerTest, AScanOfTheSubnetDoesNotKeepAHostThatIsThereFromBeingAsked) {
  for (unsigned i = 10; i < 20; ++i) neighbors.wanted({eth, Ip4Address(0x0a000000u + i)});
  EXPECT_EQ(neighbors.list().size(), 4u);
  EXPECT_EQ(neighbors.counters().evicted, 6u);
  pass(3200);
  EXPECT_EQ(meets("10.0.0.19").kind, ForwardingKind::Unreachable);
  sent.clear();
  neighbors.wanted({eth, peer});
  ASSERT_EQ(sent.size(), 1u);
  answer(peer, "02::aa");
  EXPECT_EQ(meets("10.0.0.16").kind, ForwardingKind::Connected) << "the oldest made room";
  for (unsigned i = 30; i < 60; ++i) neighbors.wanted({eth, Ip4Address(0x0a000000u + i)});
  EXPECT_EQ(neighbors.list().size(), 4u);
  EXPECT_EQ(meets("10.0.0.2").kind, ForwardingKind::Adjacency) << "one that answered stays";
  EXPECT_EQ(neighbors.counters().table_full, 0u);
  pass(10000);
  EXPECT_EQ(neighbors.list().size(), 1u);
  EXPECT_EQ(meets("10.0.0.19").kind, ForwardingKind::Connected);
}

TEST_F(NeighborManagerTest, IsBoundedAndCountsWhatItRefuses) {
  for (unsigned i = 10; i < 20; ++i) {
    neighbors.wanted({eth, Ip4Address(0x0a000000u + i)});
    answer(Ip4Address(0x0a000000u + i), "02::aa");
  }
  EXPECT_EQ(neighbors.list().size(), 4u);
  EXPECT_EQ(neighbors.counters().table_full, 6u);
  EXPECT_EQ(text(neighbors.add_permanent(eth, peer, mac("02::aa")).status()),
            "neighbor 10.0.0.2: the table holds 4 entries, the most; delete one first");
}

TEST_F(NeighborManagerTest, AsksForSoManyNewOnesBetweenTwoTicks) {
  for (unsigned i = 10; i < 110; ++i) neighbors.wanted({eth, Ip4Address(0x0a000000u + i)});
  EXPECT_EQ(sent.size(), 40u);
  EXPECT_EQ(neighbors.counters().limited, 60u);
  pass(100);
  neighbors.wanted({eth, peer});
  EXPECT_EQ(sent.size(), 41u);
}

TEST_F(NeighborManagerTest, PermanentEntriesStayAndAreNotOverridden) {
  EXPECT_TRUE(*neighbors.add_permanent(eth, peer, mac("02::aa")));
  EXPECT_FALSE(*neighbors.add_permanent(eth, peer, mac("02::aa")));
  answer(peer, "02::bb");
  pass(100000);
  EXPECT_EQ(state_of(), NeighborState::Permanent);
  EXPECT_EQ(meets("10.0.0.2").rewrite[5], 0xaa);
  EXPECT_TRUE(neighbors.remove(eth, peer));
  EXPECT_FALSE(neighbors.remove(eth, peer));
  EXPECT_EQ(meets("10.0.0.2").kind, ForwardingKind::Connected);
}

TEST_F(NeighborManagerTest, RefusesPermanentEntriesThatCannotBe) {
  EXPECT_EQ(text(neighbors.add_permanent(pod, peer, mac("02::aa")).status()),
            "interface pod/web has no link layer, so it has no neighbours to resolve");
  EXPECT_FALSE(neighbors.add_permanent(eth, ip4("224.0.0.1"), mac("02::aa")).ok());
  EXPECT_FALSE(neighbors.add_permanent(eth, peer, mac("33:33::1")).ok());
  EXPECT_FALSE(neighbors.add_permanent(InterfaceIndex{9, 9}, peer, mac("02::aa")).ok());
  EXPECT_TRUE(neighbors.list().empty());
}

TEST_F(NeighborManagerTest, ForgetsTheNeighboursOfADeletedInterface) {
  neighbors.wanted({eth, peer});
  answer(peer, "02::aa");
  ASSERT_TRUE(interfaces.remove(eth, {}).ok());
  EXPECT_TRUE(neighbors.list().empty());
  neighbors.wanted({eth, peer});
  EXPECT_TRUE(neighbors.list().empty());
}

TEST_F(NeighborManagerTest, AnAddressThatGoesTakesTheNeighboursOfItsSubnetAlong) {
  neighbors.wanted({eth, peer});
  answer(peer, "02::aa");
  ASSERT_TRUE(neighbors.add_permanent(eth, ip4("10.0.0.9"), mac("02::bb")).ok());
  (void)interfaces.add_address(eth, {ip4("10.0.0.5"), 25});
  (void)interfaces.remove_address(eth, {ip4("10.0.0.1"), 24});
  EXPECT_EQ(meets("10.0.0.2").kind, ForwardingKind::Adjacency) << "it is in the other subnet too";
  (void)interfaces.remove_address(eth, {ip4("10.0.0.5"), 25});
  EXPECT_EQ(meets("10.0.0.2").kind, ForwardingKind::NoRoute);
  EXPECT_EQ(meets("10.0.0.9").kind, ForwardingKind::Adjacency) << "set by the operator";
  EXPECT_EQ(neighbors.list().size(), 1u);
}

TEST_F(NeighborManagerTest, LearnsTheHostsMacFromWhatItSaysOnThePuntInterface) {
  state.punt.update([&](PuntTarget& t) { t.interface = eth; });
  neighbors.seen({eth, ip4("10.0.0.9"), mac("02::9"), false, true, true, true});
  EXPECT_TRUE(state.punt.get().knows_host);
  EXPECT_EQ(state.punt.get().host, mac("02::9"));
}

}  // namespace
}  // namespace sluice
