// SPDX-License-Identifier: Apache-2.0
#include "sluice/fib.h"

#include <gtest/gtest.h>

#include <random>

namespace sluice {
namespace {

template <class Address>
Address random_address(std::mt19937& random) {
  Address a;
  // Few values a byte, so that prefixes nest.
  for (auto& b : a.bytes) b = static_cast<std::uint8_t>(random() % 3 * 64 + random() % 2);
  return a;
}

template <class Address>
ForwardingIndex linear_lookup(const std::map<Prefix<Address>, ForwardingIndex>& routes, const Address& address) {
  int best = -1;
  ForwardingIndex result{0};
  for (const auto& [prefix, target] : routes) {
    if (prefix.contains(address) && prefix.length > best) {
      best = prefix.length;
      result = target;
    }
  }
  return result;
}

template <class Address>
void agrees_with_a_linear_search() {
  Rcu rcu;
  FibNodes nodes(rcu);
  {
    Fib<Address> fib(nodes);
    std::map<Prefix<Address>, ForwardingIndex> routes;
    std::mt19937 random(7);
    for (int round = 0; round < 3000; ++round) {
      const auto prefix = Prefix<Address>::of(random_address<Address>(random),
                                              static_cast<std::uint8_t>(random() % (Address::kBits + 1)));
      if (random() % 3 == 0) {
        EXPECT_EQ(fib.remove(prefix), routes.erase(prefix) == 1);
      } else {
        const ForwardingIndex target{static_cast<std::uint32_t>(random() % 50 + 1)};
        EXPECT_TRUE(fib.set(prefix, target).ok());
        routes[prefix] = target;
      }
      for (int i = 0; i < 5; ++i) {
        const auto address = random_address<Address>(random);
        ASSERT_EQ(fib.lookup(address), linear_lookup(routes, address)) << address.to_string() << " round " << round;
      }
      ASSERT_EQ(fib.lookup(prefix.address), linear_lookup(routes, prefix.address)) << prefix.to_string();
    }
    for (const auto& [prefix, target] : routes) EXPECT_TRUE(fib.remove(prefix));
    EXPECT_EQ(nodes.used(), 0u) << "nodes stay behind when all routes are gone";
    EXPECT_EQ(fib.lookup(random_address<Address>(random)), ForwardingIndex{0});
  }
  rcu.drain();
}

TEST(Fib, AgreesWithALinearSearchInIp4WhileRoutesComeAndGo) { agrees_with_a_linear_search<Ip4Address>(); }
TEST(Fib, AgreesWithALinearSearchInIp6WhileRoutesComeAndGo) { agrees_with_a_linear_search<Ip6Address>(); }

TEST(Fib, GivesItsNodesBackWithTheTable) {
  Rcu rcu;
  FibNodes nodes(rcu);
  {
    Fib<Ip4Address> fib(nodes);
    EXPECT_TRUE(fib.set(*Prefix<Ip4Address>::parse("10.1.2.3/32"), ForwardingIndex{1}).ok());
    EXPECT_EQ(nodes.used(), 2u);
  }
  EXPECT_EQ(nodes.used(), 0u);
}

}  // namespace
}  // namespace sluice
