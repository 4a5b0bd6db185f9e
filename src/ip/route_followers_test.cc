// SPDX-License-Identifier: Apache-2.0
// Followers hear where an address leads, and loops through tunnels are found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ip/route_manager.h"
#include "ip/test_packets.h"
#include "sluice/testing/memory_interfaces.h"

namespace sluice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

IpPrefix prefix(std::string_view text) { return *IpPrefix::parse(text); }
IpAddress address(std::string_view text) { return *IpAddress::parse(text); }

struct RouteFollowers : ::testing::Test {
  Rcu rcu;
  IpTables tables{rcu};
  MemoryInterfaces interfaces;
  RouteManager routes{tables, interfaces};
  InterfaceIndex eth = interface("eth0", LinkLayer::Ethernet), one = interface("ipip0", LinkLayer::Ip),
                 two = interface("ipip1", LinkLayer::Ip);
  std::vector<FollowedRoute> heard;

  InterfaceIndex interface(const std::string& name, LinkLayer link) {
    const InterfaceIndex index = interfaces.add(name, link);
    (void)interfaces.set_state(index, true);
    return index;
  }
  std::unique_ptr<RouteFollower> follow(std::string_view to, InterfaceIndex by) {
    return routes.follow(0, address(to), by, [this](const FollowedRoute& route) { heard.push_back(route); });
  }
  StatusOr<bool> via(std::string_view to, InterfaceIndex interface, std::optional<IpAddress> hop = {}) {
    return routes.add(0, prefix(to), RouteSource::Static, {RouteKind::Forward, {{hop, interface, 1}}});
  }
  std::string leads(const RouteFollower& follower) { return routes.describe(follower.now().forwarding); }
  ~RouteFollowers() override { rcu.drain(); }
};

TEST_F(RouteFollowers, HearWhereAnAddressLeadsAsRoutesNeighboursAndLinksChange) {
  const auto follower = follow("192.0.2.9", one);
  EXPECT_FALSE(follower->now().forwarding.valid());
  ASSERT_TRUE(via("192.0.2.0/24", eth, address("10.0.0.1")).ok());
  EXPECT_EQ(leads(*follower), "via 10.0.0.1 eth0 (resolving)");
  EXPECT_EQ(heard.size(), 1u);
  EXPECT_FALSE(follower->now().connected);
  routes.complete_neighbor(eth, address("10.0.0.1"), mac("02::5"));
  EXPECT_EQ(leads(*follower), "via 10.0.0.1 eth0");
  ASSERT_TRUE(via("198.51.100.0/24", eth, address("10.0.0.3")).ok());
  EXPECT_EQ(heard.size(), 1u) << "an adjacency changes in place, and other prefixes are not its way";
  ASSERT_TRUE(via("192.0.2.9/32", eth, address("10.0.0.2")).ok());
  EXPECT_EQ(leads(*follower), "via 10.0.0.2 eth0 (resolving)");
  EXPECT_TRUE(routes.remove(0, prefix("192.0.2.9/32"), RouteSource::Static));
  EXPECT_EQ(leads(*follower), "via 10.0.0.1 eth0");
  (void)interfaces.set_state(eth, false);
  EXPECT_FALSE(follower->now().forwarding.valid());
  (void)interfaces.set_state(eth, true);
  EXPECT_EQ(leads(*follower), "via 10.0.0.1 eth0");
}

TEST_F(RouteFollowers, SaysWhetherTheAddressIsOnAConnectedSubnet) {
  const auto follower = follow("192.0.2.9", one);
  ASSERT_TRUE(interfaces.add_address(eth, {address("192.0.2.1"), 24}).ok());
  EXPECT_TRUE(follower->now().connected);
  routes.complete_neighbor(eth, address("192.0.2.9"), mac("02::5"));
  EXPECT_TRUE(follower->now().connected);
  EXPECT_EQ(leads(*follower), "via 192.0.2.9 eth0");
  ASSERT_TRUE(interfaces.remove_address(eth, {address("192.0.2.1"), 24}).ok());
  EXPECT_FALSE(follower->now().connected);
}

TEST_F(RouteFollowers, RefusesARouteThatLeadsATunnelThroughItselfAndNamesTheLoop) {
  const auto first = follow("192.0.2.9", one), second = follow("198.51.100.9", two);
  ASSERT_TRUE(via("0.0.0.0/0", eth, address("10.0.0.1")).ok());
  const auto direct = via("192.0.2.0/24", one);
  EXPECT_THAT(std::string(direct.status().message()), ::testing::HasSubstr("ipip0 -> ipip0"));
  EXPECT_FALSE(routes.find(0, prefix("192.0.2.0/24"))) << "nothing changed";
  EXPECT_EQ(leads(*first), "via 10.0.0.1 eth0 (resolving)");
  ASSERT_TRUE(via("192.0.2.0/24", two).ok()) << "one tunnel through another is fine";
  EXPECT_EQ(leads(*first), "link ipip1");
  const auto around = via("198.51.100.0/24", one);
  EXPECT_THAT(std::string(around.status().message()), ::testing::HasSubstr("ipip0 -> ipip1 -> ipip0"));
  EXPECT_EQ(leads(*second), "via 10.0.0.1 eth0 (resolving)");
}

TEST_F(RouteFollowers, CutsALoopThatComesUpWithoutACommandAndHealsWhenItGoes) {
  const auto follower = follow("192.0.2.9", one);
  ASSERT_TRUE(via("192.0.2.0/24", eth, address("10.0.0.1")).ok());
  ASSERT_TRUE(interfaces.add_address(one, {address("192.0.2.1"), 25}).ok());
  EXPECT_EQ(follower->now().loop, "ipip0 -> ipip0");
  EXPECT_FALSE(follower->now().forwarding.valid());
  ASSERT_TRUE(interfaces.remove_address(one, {address("192.0.2.1"), 25}).ok());
  EXPECT_EQ(follower->now().loop, "");
  EXPECT_EQ(leads(*follower), "via 10.0.0.1 eth0 (resolving)");
}

TEST_F(RouteFollowers, HearsNothingWhenItHasEnded) {
  auto follower = follow("192.0.2.9", one);
  follower.reset();
  ASSERT_TRUE(via("192.0.2.0/24", eth, address("10.0.0.1")).ok());
  EXPECT_TRUE(heard.empty());
}

}  // namespace
}  // namespace sluice
