// SPDX-License-Identifier: Apache-2.0
#include "ip/route_manager.h"

#include <gtest/gtest.h>

#include "sluice/testing/memory_interfaces.h"

namespace sluice {
namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
IpPrefix prefix(const char* text) { return *IpPrefix::parse(text); }

struct RouteManagerTest : ::testing::Test {
  Rcu rcu;
  IpTables tables{rcu};
  testing::MemoryInterfaces interfaces;
  RouteManager routes{tables, interfaces};
  InterfaceIndex eth0, eth1, pod;

  RouteManagerTest() {
    eth0 = interfaces.add("eth0");
    eth1 = interfaces.add("eth1");
    pod = interfaces.add("pod/web", LinkLayer::Ip);
    give(eth0, "10.0.0.1", 24);
    give(eth1, "10.1.0.1", 24);
    give(eth0, "2001:db8::1", 64);
  }
  void give(InterfaceIndex i, const char* address, std::uint8_t length) {
    (void)interfaces.add_address(i, {ip(address), length});
  }
  static RouteSpec via(std::initializer_list<const char*> addresses) {
    RouteSpec spec;
    for (const char* a : addresses) spec.next_hops.push_back({ip(a), {}, 1});
    return spec;
  }
  /// What a packet to this address meets, as the data path reads it.
  const Forwarding& meets(const char* address) { return tables.forwarding.at(index_of(address)); }
  ForwardingIndex index_of(const char* address) {
    const IpAddress a = ip(address);
    return a.is_ip6() ? tables.ip6.find(TableIndex{0})->lookup(a.ip6())
                      : tables.ip4.find(TableIndex{0})->lookup(a.ip4());
  }
  std::vector<ForwardingKind> paths_kinds(const char* address) {
    std::vector<ForwardingKind> kinds;
    for (const auto& path : routes.paths(index_of(address))) kinds.push_back(path.kind);
    return kinds;
  }
  std::string words(const char* address) { return routes.describe(index_of(address)); }
};

TEST_F(RouteManagerTest, AnAddressMakesLocalConnectedAndUnusableRoutes) {
  EXPECT_EQ(words("10.0.0.1"), "local");
  EXPECT_EQ(words("10.0.0.7"), "connected eth0");
  EXPECT_EQ(words("10.0.0.255"), "blackhole");
  EXPECT_EQ(words("10.0.0.0"), "blackhole");
  EXPECT_EQ(words("2001:db8::1"), "local");
  EXPECT_EQ(words("2001:db8::ffff"), "connected eth0");
  EXPECT_EQ(words("192.0.2.1"), "no-route");
  (void)interfaces.remove_address(eth0, {ip("10.0.0.1"), 24});
  EXPECT_EQ(words("10.0.0.1"), "no-route");
  EXPECT_EQ(words("10.0.0.255"), "no-route");
}

TEST_F(RouteManagerTest, AnAddressWhosePrefixLengthChangesStaysThisNodesOwn) {
  give(eth0, "10.0.0.1", 16);
  (void)interfaces.remove_address(eth0, {ip("10.0.0.1"), 24});
  EXPECT_EQ(words("10.0.0.1"), "local");
  EXPECT_EQ(words("10.0.0.255"), "connected eth0");
  EXPECT_EQ(words("10.0.0.0"), "blackhole") << "an end of both subnets";
  (void)interfaces.remove_address(eth0, {ip("10.0.0.1"), 16});
  EXPECT_EQ(words("10.0.0.1"), "no-route");
  EXPECT_EQ(words("10.0.0.0"), "no-route");
}

TEST_F(RouteManagerTest, AnAddressOfTwoInterfacesOfATableGoesWithTheLast) {
  give(eth1, "10.0.0.1", 25);
  (void)interfaces.remove_address(eth0, {ip("10.0.0.1"), 24});
  EXPECT_EQ(words("10.0.0.1"), "local");
  (void)interfaces.remove(eth1, {});
  EXPECT_EQ(words("10.0.0.1"), "no-route");
}

TEST_F(RouteManagerTest, ADeletedInterfaceLeavesNothingOfASubnetWithTwoAddresses) {
  give(eth0, "10.0.0.2", 24);
  const std::size_t others = 4;  // of eth1
  (void)interfaces.remove(eth0, {});
  EXPECT_EQ(words("10.0.0.0"), "no-route");
  EXPECT_EQ(words("10.0.0.255"), "no-route");
  EXPECT_EQ(routes.size(0, false), others);
}

TEST_F(RouteManagerTest, TheSameRouteTwiceIsUnchangedAndADifferentOneRefused) {
  EXPECT_TRUE(*routes.add(0, prefix("192.0.2.0/24"), RouteSource::Static, via({"10.0.0.2"})));
  EXPECT_FALSE(*routes.add(0, prefix("192.0.2.0/24"), RouteSource::Static, via({"10.0.0.2"})));
  EXPECT_EQ(text(routes.add(0, prefix("192.0.2.0/24"), RouteSource::Static, {RouteKind::Blackhole, {}}).status()),
            "route 192.0.2.0/24 exists as via 10.0.0.2, not as blackhole; delete it first");
  EXPECT_EQ(words("192.0.2.9"), "via 10.0.0.2 eth0 (resolving)");
}

TEST_F(RouteManagerTest, ANeighbourCompletesTheRoutesThroughIt) {
  ASSERT_TRUE(routes.add(0, prefix("192.0.2.0/24"), RouteSource::Static, via({"10.0.0.2"})).ok());
  const auto index = index_of("192.0.2.9");
  routes.complete_neighbor(eth0, ip("10.0.0.2"), *MacAddress::parse("02::aa"));
  EXPECT_EQ(index_of("192.0.2.9"), index) << "the object is replaced in place";
  const Forwarding& f = meets("192.0.2.9");
  EXPECT_EQ(f.kind, ForwardingKind::Adjacency);
  ASSERT_EQ(f.rewrite_length, 14);
  EXPECT_EQ(f.rewrite[5], 0xaa);
  EXPECT_EQ(f.rewrite[12], 0x08);
  EXPECT_EQ(index_of("10.0.0.2"), index) << "the neighbour itself has a host route";
  routes.forget_neighbor(eth0, ip("10.0.0.2"));
  EXPECT_EQ(words("192.0.2.9"), "via 10.0.0.2 eth0 (resolving)");
  EXPECT_EQ(words("10.0.0.2"), "connected eth0");
  routes.fail_neighbor(eth0, ip("10.0.0.2"));
  EXPECT_EQ(words("192.0.2.9"), "unreachable");
}

TEST_F(RouteManagerTest, APodIsReachedWithoutANeighbour) {
  ASSERT_TRUE(
      routes.add(0, prefix("10.5.0.1/32"), RouteSource::Pod, {RouteKind::Forward, {{std::nullopt, pod, 1}}}).ok());
  EXPECT_EQ(meets("10.5.0.1").kind, ForwardingKind::Adjacency);
  EXPECT_EQ(meets("10.5.0.1").rewrite_length, 0);
  EXPECT_EQ(meets("10.5.0.1").interface, pod);
}

TEST_F(RouteManagerTest, ARecursiveRouteFollowsTheRouteThatCoversItsNextHop) {
  ASSERT_TRUE(routes.add(0, prefix("198.51.100.0/24"), RouteSource::Static, via({"192.0.2.1"})).ok());
  EXPECT_EQ(words("198.51.100.1"), "no-route") << "nothing leads to the next hop";
  EXPECT_FALSE(routes.find(0, prefix("198.51.100.0/24"))->live);
  ASSERT_TRUE(routes.add(0, prefix("192.0.2.0/24"), RouteSource::Static, via({"10.0.0.2"})).ok());
  EXPECT_EQ(words("198.51.100.1"), "via 10.0.0.2 eth0 (resolving)");
  ASSERT_TRUE(routes.add(0, prefix("192.0.2.1/32"), RouteSource::Static, via({"10.1.0.2"})).ok());
  EXPECT_EQ(words("198.51.100.1"), "via 10.1.0.2 eth1 (resolving)") << "a more specific route covers it now";
  EXPECT_TRUE(routes.remove(0, prefix("192.0.2.1/32"), RouteSource::Static));
  EXPECT_EQ(words("198.51.100.1"), "via 10.0.0.2 eth0 (resolving)");
  EXPECT_TRUE(routes.remove(0, prefix("192.0.2.0/24"), RouteSource::Static));
  EXPECT_EQ(words("198.51.100.1"), "no-route");
}

TEST_F(RouteManagerTest, RoutesThroughEachOtherAreNotLive) {
  ASSERT_TRUE(routes.add(0, prefix("192.0.2.0/24"), RouteSource::Static, via({"198.51.100.1"})).ok());
  ASSERT_TRUE(routes.add(0, prefix("198.51.100.0/24"), RouteSource::Static, via({"192.0.2.1"})).ok());
  EXPECT_EQ(words("192.0.2.5"), "no-route");
  EXPECT_EQ(words("198.51.100.5"), "no-route");
  const RouteSpec to_pod{RouteKind::Forward, {{std::nullopt, pod, 1}}};
  ASSERT_TRUE(routes.add(0, prefix("192.0.2.0/24"), RouteSource::Pod, to_pod).ok());
  EXPECT_EQ(words("198.51.100.5"), "via 192.0.2.1 pod/web");
  EXPECT_TRUE(routes.remove(0, prefix("192.0.2.0/24"), RouteSource::Pod)) << "what is left leads back to it";
  EXPECT_EQ(words("198.51.100.5"), "no-route");
  ASSERT_TRUE(routes.add(0, prefix("0.0.0.0/0"), RouteSource::Static, via({"203.0.113.1"})).ok());
  EXPECT_EQ(words("8.8.8.8"), "no-route") << "a default route through itself";
}

TEST_F(RouteManagerTest, ALinkThatGoesDownWithdrawsItsRoutesAndABackRestoresThem) {
  ASSERT_TRUE(routes.add(0, prefix("192.0.2.0/24"), RouteSource::Static, via({"10.0.0.2"})).ok());
  ASSERT_TRUE(routes.add(0, prefix("192.0.0.0/16"), RouteSource::Static, via({"10.1.0.2"})).ok());
  interfaces.set_carrier(eth0, false);
  EXPECT_EQ(words("192.0.2.1"), "via 10.1.0.2 eth1 (resolving)");
  EXPECT_EQ(words("10.0.0.1"), "local");
  interfaces.set_carrier(eth0, true);
  EXPECT_EQ(words("192.0.2.1"), "via 10.0.0.2 eth0 (resolving)");
}

TEST_F(RouteManagerTest, ANeighbourStaysKnownWhileItsLinkIsDown) {
  ASSERT_TRUE(routes.add(0, prefix("192.0.2.0/24"), RouteSource::Static, via({"10.0.0.2"})).ok());
  routes.complete_neighbor(eth0, ip("10.0.0.2"), *MacAddress::parse("02::aa"));
  interfaces.set_carrier(eth0, false);
  EXPECT_EQ(words("10.0.0.2"), "no-route");
  interfaces.set_carrier(eth0, true);
  for (const char* through : {"10.0.0.2", "192.0.2.1"}) {
    EXPECT_EQ(words(through), "via 10.0.0.2 eth0") << through;
    EXPECT_EQ(meets(through).rewrite[5], 0xaa) << through;
  }
  routes.forget_neighbor(eth0, ip("10.0.0.2"));
  interfaces.set_carrier(eth0, false);
  interfaces.set_carrier(eth0, true);
  EXPECT_EQ(words("192.0.2.1"), "via 10.0.0.2 eth0 (resolving)");
}

TEST_F(RouteManagerTest, ANeighbourLearntBehindAStaticHostRouteIsReachedWhenThatGoes) {
  ASSERT_TRUE(routes.add(0, prefix("10.0.0.2/32"), RouteSource::Static, {RouteKind::Blackhole, {}}).ok());
  routes.complete_neighbor(eth0, ip("10.0.0.2"), *MacAddress::parse("02::aa"));
  EXPECT_EQ(words("10.0.0.2"), "blackhole");
  EXPECT_TRUE(routes.remove(0, prefix("10.0.0.2/32"), RouteSource::Static));
  EXPECT_EQ(words("10.0.0.2"), "via 10.0.0.2 eth0");
}

TEST_F(RouteManagerTest, AMemberThatLeavesTakesOnlyItsOwnBuckets) {
  RouteSpec spec = via({"10.0.0.2", "10.1.0.2", "10.1.0.3"});
  spec.next_hops[0].weight = 2;
  ASSERT_TRUE(routes.add(0, prefix("192.0.2.0/24"), RouteSource::Static, spec).ok());
  const Forwarding& before = meets("192.0.2.1");
  ASSERT_EQ(before.kind, ForwardingKind::Group);
  std::vector<ForwardingIndex> old(before.members.get(), before.members.get() + before.group_size);
  std::map<ForwardingIndex, int> share;
  for (const auto i : old) ++share[i];
  ASSERT_EQ(share.size(), 3u);
  const auto gone = old[0];
  for (const auto& [index, n] : share) EXPECT_NEAR(n, tables.forwarding.at(index).interface == eth0 ? 32 : 16, 1);
  interfaces.set_carrier(eth0, false);
  const Forwarding& after = meets("192.0.2.1");
  ASSERT_EQ(after.kind, ForwardingKind::Group);
  const auto first_of_eth0 = [&](ForwardingIndex i) { return routes.describe(i).find("eth0") != std::string::npos; };
  for (std::uint16_t b = 0; b < after.group_size; ++b) {
    if (!first_of_eth0(old[b]) && old[b] != gone) {
      EXPECT_EQ(after.members[b], old[b]) << "bucket " << b;
    }
  }
}

TEST_F(RouteManagerTest, ADeletedInterfaceTakesItsRoutesAndNextHopsAlong) {
  RouteSpec both{RouteKind::Forward, {{ip("10.0.0.2"), eth0, 1}, {ip("10.1.0.2"), eth1, 1}}};
  ASSERT_TRUE(routes.add(0, prefix("192.0.2.0/24"), RouteSource::Static, both).ok());
  ASSERT_TRUE(
      routes.add(0, prefix("198.51.100.0/24"), RouteSource::Static, {RouteKind::Forward, {{ip("10.0.0.2"), eth0, 1}}})
          .ok());
  routes.complete_neighbor(eth0, ip("10.0.0.2"), *MacAddress::parse("02::aa"));
  ASSERT_TRUE(interfaces.remove(eth0, {}).ok());
  EXPECT_EQ(words("192.0.2.1"), "via 10.1.0.2 eth1 (resolving)");
  EXPECT_EQ(words("198.51.100.1"), "no-route");
  EXPECT_EQ(words("10.0.0.1"), "no-route");
  EXPECT_EQ(words("10.0.0.2"), "no-route");
}

TEST_F(RouteManagerTest, AnInterfaceThatADeletedRouteNamedTwiceCanBeDeleted) {
  const RouteSpec twice{RouteKind::Forward, {{ip("10.0.0.2"), eth0, 1}, {ip("10.0.0.3"), eth0, 1}}};
  ASSERT_TRUE(routes.add(0, prefix("10.9.0.0/16"), RouteSource::Static, twice).ok());
  EXPECT_TRUE(routes.remove(0, prefix("10.9.0.0/16"), RouteSource::Static));
  EXPECT_TRUE(interfaces.remove(eth0, {}).ok());
  EXPECT_EQ(words("10.0.0.7"), "no-route");
}

TEST_F(RouteManagerTest, TwoSourcesFollowTheSameNextHopAndInterface) {
  const RouteSpec twice{RouteKind::Forward, {{ip("10.0.0.2"), eth0, 1}, {ip("10.1.0.2"), {}, 1}}};
  ASSERT_TRUE(routes.add(0, prefix("10.9.0.0/16"), RouteSource::Pod, twice).ok());
  ASSERT_TRUE(routes.add(0, prefix("10.9.0.0/16"), RouteSource::Static, twice).ok());
  EXPECT_TRUE(routes.remove(0, prefix("10.9.0.0/16"), RouteSource::Pod));
  EXPECT_EQ(meets("10.9.0.1").kind, ForwardingKind::Group);
  interfaces.set_carrier(eth1, false);
  EXPECT_EQ(words("10.9.0.1"), "via 10.0.0.2 eth0 (resolving)");
  interfaces.set_carrier(eth0, false);
  EXPECT_EQ(words("10.9.0.1"), "no-route");
}

TEST_F(RouteManagerTest, TablesAreApartAndAnInterfaceMovesWithItsSubnets) {
  const auto blue = routes.table(7);
  ASSERT_TRUE(blue.ok());
  (void)interfaces.set_table(eth0, 7, *blue, *blue);
  EXPECT_EQ(words("10.0.0.7"), "no-route");
  EXPECT_EQ(routes.describe(tables.ip4.find(*blue)->lookup(ip("10.0.0.7").ip4())), "connected eth0");
  EXPECT_EQ(routes.tables(), (std::vector<std::uint32_t>{0, 7}));
}

TEST_F(RouteManagerTest, AnInterfaceMovesWithItsNeighbours) {
  routes.complete_neighbor(eth0, ip("10.0.0.2"), *MacAddress::parse("02::aa"));
  routes.complete_neighbor(eth0, ip("fe80::2"), *MacAddress::parse("02::bb"));
  const auto blue = routes.table(7);
  (void)interfaces.set_table(eth0, 7, *blue, *blue);
  EXPECT_EQ(words("10.0.0.2"), "no-route");
  ASSERT_TRUE(routes.add(7, prefix("192.0.2.0/24"), RouteSource::Static, via({"10.0.0.2"})).ok());
  for (const char* through : {"10.0.0.2", "192.0.2.1"}) {
    EXPECT_EQ(routes.describe(tables.ip4.find(*blue)->lookup(ip(through).ip4())), "via 10.0.0.2 eth0");
  }
  EXPECT_EQ(routes.describe(tables.links.get().find(eth0, ip("fe80::2").ip6())), "via fe80::2 eth0");
  routes.forget_neighbor(eth0, ip("10.0.0.2"));
  EXPECT_EQ(routes.describe(tables.ip4.find(*blue)->lookup(ip("10.0.0.2").ip4())), "connected eth0");
}

TEST_F(RouteManagerTest, ANeighbourOnTwoInterfacesOfOneSubnetIsReachedByWhatIsLeft) {
  give(eth1, "10.0.0.3", 24);
  for (const InterfaceIndex gone : {eth0, eth1}) {
    routes.complete_neighbor(eth0, ip("10.0.0.2"), *MacAddress::parse("02::aa"));
    routes.complete_neighbor(eth1, ip("10.0.0.2"), *MacAddress::parse("02::bb"));
    EXPECT_EQ(meets("10.0.0.2").kind, ForwardingKind::Group);
    routes.forget_neighbor(gone, ip("10.0.0.2"));
    EXPECT_EQ(words("10.0.0.2"), gone == eth0 ? "via 10.0.0.2 eth1" : "via 10.0.0.2 eth0");
    EXPECT_EQ(meets("10.0.0.2").rewrite[5], gone == eth0 ? 0xbb : 0xaa);
  }
  routes.forget_neighbor(eth0, ip("10.0.0.2"));
  EXPECT_EQ(meets("10.0.0.2").kind, ForwardingKind::Group) << "both interfaces are asked again";
}

TEST_F(RouteManagerTest, ASilentHostIsUnreachableOnceEveryInterfaceOfItsSubnetHasAsked) {
  routes.fail_neighbor(eth0, ip("10.0.0.9"));
  routes.fail_neighbor(eth0, ip("2001:db8::9"));
  routes.fail_neighbor(eth0, ip("fe80::9"));
  EXPECT_EQ(words("10.0.0.9"), "unreachable");
  EXPECT_EQ(words("2001:db8::9"), "unreachable");
  EXPECT_EQ(routes.describe(tables.links.get().find(eth0, ip("fe80::9").ip6())), "unreachable");
  for (const char* silent : {"10.0.0.9", "2001:db8::9", "fe80::9"}) routes.forget_neighbor(eth0, ip(silent));
  EXPECT_EQ(words("10.0.0.9"), "connected eth0");
  EXPECT_EQ(words("2001:db8::9"), "connected eth0");
  EXPECT_EQ(routes.describe(tables.links.get().find(eth0, ip("fe80::9").ip6())), "connected eth0");

  give(eth1, "10.0.0.3", 24);
  routes.fail_neighbor(eth0, ip("10.0.0.9"));
  EXPECT_EQ(meets("10.0.0.9").kind, ForwardingKind::Group) << "it may be on the other interface";
  routes.fail_neighbor(eth1, ip("10.0.0.9"));
  EXPECT_EQ(paths_kinds("10.0.0.9"), std::vector<ForwardingKind>(2, ForwardingKind::Unreachable));
  routes.complete_neighbor(eth1, ip("10.0.0.9"), *MacAddress::parse("02::aa"));
  EXPECT_EQ(words("10.0.0.9"), "via 10.0.0.9 eth1");
}

TEST_F(RouteManagerTest, ASilentGatewayBeyondTheSubnetsKeepsTheRouteThatCoversIt) {
  ASSERT_TRUE(routes.add(0, prefix("0.0.0.0/0"), RouteSource::Static, via({"10.1.0.2"})).ok());
  routes.fail_neighbor(eth0, ip("192.0.2.1"));
  EXPECT_EQ(words("192.0.2.1"), "via 10.1.0.2 eth1 (resolving)");
}

TEST_F(RouteManagerTest, RefusesWhatMakesNoSenseAndChangesNothing) {
  const auto error = [&](const char* p, const RouteSpec& spec) {
    return text(routes.add(0, prefix(p), RouteSource::Static, spec).status());
  };
  const std::size_t before = tables.forwarding.size();
  EXPECT_EQ(error("192.0.2.0/24", via({})), "route 192.0.2.0/24: 0 next hops; give 1 to 64");
  EXPECT_EQ(error("192.0.2.0/24", via({"10.0.0.1"})),
            "route 192.0.2.0/24: next hop 10.0.0.1 is this node's own address");
  EXPECT_EQ(error("192.0.2.0/24", via({"2001:db8::2"})),
            "route 192.0.2.0/24: next hop 2001:db8::2 is of the other family");
  EXPECT_EQ(error("2001:db8:1::/48", via({"fe80::1"})),
            "route 2001:db8:1::/48: next hop fe80::1 is link-local; say on which interface");
  EXPECT_EQ(error("192.0.2.0/24", {RouteKind::Forward, {{ip("10.0.0.2"), {}, 101}}}),
            "route 192.0.2.0/24: weight 101: must be 1 to 100");
  EXPECT_FALSE(routes.find(0, prefix("192.0.2.0/24")));
  EXPECT_EQ(tables.forwarding.size(), before);
}

TEST_F(RouteManagerTest, ALinkLocalNeighbourIsKnownOnItsLinkOnly) {
  give(eth0, "fe80::1", 64);
  routes.complete_neighbor(eth0, ip("fe80::2"), *MacAddress::parse("02::bb"));
  const LinkTable& links = tables.links.get();
  EXPECT_EQ(tables.forwarding.at(links.find(eth0, ip("fe80::2").ip6())).kind, ForwardingKind::Adjacency);
  EXPECT_EQ(tables.forwarding.at(links.find(eth1, ip("fe80::2").ip6())).kind, ForwardingKind::Connected);
  EXPECT_EQ(links.find(eth0)->own, std::vector<Ip6Address>{ip("fe80::1").ip6()});
  ASSERT_TRUE(
      routes.add(0, prefix("2001:db8:1::/48"), RouteSource::Static, {RouteKind::Forward, {{ip("fe80::2"), eth0, 1}}})
          .ok());
  EXPECT_EQ(words("2001:db8:1::1"), "via fe80::2 eth0");
}

TEST_F(RouteManagerTest, ListsByPrefixAndFindsTheLongestMatch) {
  ASSERT_TRUE(routes.add(0, prefix("0.0.0.0/0"), RouteSource::Static, via({"10.0.0.2"})).ok());
  std::vector<std::string> seen;
  std::optional<IpPrefix> at;
  while (const auto entry = routes.next(0, false, at)) {
    seen.push_back(entry->prefix.to_string());
    at = entry->prefix;
  }
  EXPECT_EQ(seen.front(), "0.0.0.0/0");
  EXPECT_EQ(seen.size(), routes.size(0, false));
  EXPECT_EQ(routes.lookup(0, ip("10.0.0.9"))->prefix.to_string(), "10.0.0.0/24");
  EXPECT_EQ(routes.lookup(0, ip("8.8.8.8"))->prefix.to_string(), "0.0.0.0/0");
}

TEST_F(RouteManagerTest, GivesBackEveryObject) {
  const std::size_t before = tables.forwarding.size();
  for (int round = 0; round < 100; ++round) {
    ASSERT_TRUE(routes.add(0, prefix("192.0.2.0/24"), RouteSource::Static, via({"10.0.0.2", "10.1.0.2"})).ok());
    ASSERT_TRUE(routes.add(0, prefix("198.51.100.0/24"), RouteSource::Static, via({"192.0.2.1"})).ok());
    routes.complete_neighbor(eth0, ip("10.0.0.2"), *MacAddress::parse("02::aa"));
    routes.forget_neighbor(eth0, ip("10.0.0.2"));
    EXPECT_TRUE(routes.remove(0, prefix("192.0.2.0/24"), RouteSource::Static));
    EXPECT_TRUE(routes.remove(0, prefix("198.51.100.0/24"), RouteSource::Static));
  }
  EXPECT_EQ(tables.forwarding.size(), before);
}

TEST(RouteTables, OneThatNothingIsInMakesRoomForAnother) {
  Rcu rcu;
  IpTables tables{rcu};
  testing::MemoryInterfaces interfaces;
  RouteManager few(tables, interfaces, 3);
  const InterfaceIndex pod = interfaces.add("pod/web", LinkLayer::Ip);
  const RouteSpec blackhole{RouteKind::Blackhole, {}};
  for (const std::uint32_t table : {5u, 6u}) {
    ASSERT_TRUE(few.add(table, prefix("192.0.2.0/24"), RouteSource::Static, blackhole).ok());
  }
  const auto slot = few.table(5);
  const std::string full = "table 7: there are 3 tables, the most; delete the routes of one that no interface is in";
  EXPECT_EQ(text(few.would_add(7, prefix("192.0.2.0/24"), RouteSource::Static, blackhole).status()), full);
  EXPECT_EQ(text(few.table(7).status()), full);
  EXPECT_TRUE(few.remove(5, prefix("192.0.2.0/24"), RouteSource::Static));
  rcu.drain();
  EXPECT_EQ(few.tables(), (std::vector<std::uint32_t>{0, 5, 6})) << "it stays until its place is needed";
  EXPECT_TRUE(few.would_add(7, prefix("192.0.2.0/24"), RouteSource::Static, blackhole).ok());
  EXPECT_EQ(few.table(7)->value, slot->value);
  EXPECT_EQ(few.tables(), (std::vector<std::uint32_t>{0, 6, 7}));

  // One that an interface is in stays, even without routes; one that it has left does not.
  (void)interfaces.set_table(pod, 7, *slot, *slot);
  EXPECT_FALSE(few.table(8).ok());
  (void)interfaces.set_table(pod, 6, *few.table(6), *few.table(6));
  rcu.drain();
  EXPECT_TRUE(few.table(8).ok());
  EXPECT_EQ(few.tables(), (std::vector<std::uint32_t>{0, 6, 8}));
}

}  // namespace
}  // namespace sluice
