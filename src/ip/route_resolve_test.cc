// SPDX-License-Identifier: Apache-2.0
// Which route leads to an address, and which others that concerns.
#include <gtest/gtest.h>

#include <random>

#include "ip/route_manager.h"
#include "sluice/testing/memory_interfaces.h"

namespace sluice {
namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
IpPrefix prefix(const char* text) { return *IpPrefix::parse(text); }
RouteSpec via(const char* address) {
  RouteSpec spec;
  spec.next_hops.push_back({ip(address), {}, 1});
  return spec;
}

struct RouteResolve : ::testing::Test {
  Rcu rcu;
  IpTables tables{rcu};
  testing::MemoryInterfaces interfaces;
  RouteManager routes{tables, interfaces};

  /// What a packet to this address meets, as the data path reads it.
  std::string words(const char* address) {
    return routes.describe(tables.ip4.find(TableIndex{0})->lookup(ip(address).ip4()));
  }
};

TEST_F(RouteResolve, AShorterRouteOverANextHopChangesNothingUntilTheLongerOneGoes) {
  (void)interfaces.add_address(interfaces.add("eth0"), {ip("10.0.0.1"), 24});
  (void)interfaces.add_address(interfaces.add("eth1"), {ip("10.1.0.1"), 24});
  (void)routes.set(0, prefix("192.0.2.0/24"), RouteSource::Static, via("172.16.1.9"));
  (void)routes.set(0, prefix("172.16.1.0/24"), RouteSource::Static, via("10.0.0.2"));
  EXPECT_EQ(words("192.0.2.1"), "via 10.0.0.2 eth0 (resolving)");
  (void)routes.set(0, prefix("172.16.0.0/16"), RouteSource::Static, via("10.1.0.2"));
  EXPECT_EQ(words("192.0.2.1"), "via 10.0.0.2 eth0 (resolving)");
  routes.remove(0, prefix("172.16.1.0/24"), RouteSource::Static);
  EXPECT_EQ(words("192.0.2.1"), "via 10.1.0.2 eth1 (resolving)");
  // The longer one leads nowhere when its own way goes.
  (void)routes.set(0, prefix("172.16.1.0/24"), RouteSource::Static, via("172.17.0.1"));
  (void)routes.set(0, prefix("172.17.0.0/24"), RouteSource::Static, via("10.0.0.3"));
  EXPECT_EQ(words("192.0.2.1"), "via 10.0.0.3 eth0 (resolving)");
  routes.remove(0, prefix("172.17.0.0/24"), RouteSource::Static);
  EXPECT_EQ(words("192.0.2.1"), "via 10.1.0.2 eth1 (resolving)");
  routes.remove(0, prefix("172.16.0.0/16"), RouteSource::Static);
  EXPECT_EQ(words("192.0.2.1"), "no-route");
}

TEST_F(RouteResolve, FindsTheLongestMatchInAnyNestOfPrefixes) {
  std::mt19937 random(1);
  const auto some = [&](bool ip6) {
    const auto byte = [&] { return static_cast<std::uint8_t>((random() & 3) << (random() & 1 ? 0 : 6)); };
    if (!ip6) return IpAddress(Ip4Address(std::uint32_t{20} << 24 | byte() << 16 | byte() << 8 | byte()));
    Ip6Address a;
    a.bytes[0] = 0x20;
    for (const unsigned i : {1, 7, 8, 9, 15}) a.bytes[i] = byte();
    return IpAddress(a);
  };
  std::vector<IpPrefix> all;
  RouteSpec blackhole;
  blackhole.kind = RouteKind::Blackhole;
  for (int i = 0; i < 400; ++i) {
    const bool ip6 = i % 2;
    const auto length = static_cast<std::uint8_t>(i < 2 ? 0 : random() % (ip6 ? 129 : 33));
    const IpPrefix one = IpPrefix::of(some(ip6), length);
    if (*routes.add(0, one, RouteSource::Static, blackhole)) all.push_back(one);
  }
  const auto longest = [&](const IpAddress& a) {
    std::optional<IpPrefix> best;
    for (const IpPrefix& p : all) {
      if (p.contains(a) && (!best || p.length > best->length)) best = p;
    }
    return best;
  };
  for (int i = 0; i < 4000; ++i) {
    if (i == 2000) {  // also without default routes
      std::erase_if(all, [&](const IpPrefix& p) { return p.length == 0 && routes.remove(0, p, RouteSource::Static); });
    }
    const IpAddress a = some(i % 2);
    const auto found = routes.lookup(0, a);
    EXPECT_EQ(found ? found->prefix.to_string() : "none", longest(a) ? longest(a)->to_string() : "none") << a;
  }
}

}  // namespace
}  // namespace sluice
