// SPDX-License-Identifier: Apache-2.0
#include "sluice/fib.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <thread>

namespace sluice {
namespace {

ForwardingIndex target(std::uint32_t n) { return ForwardingIndex{n}; }
Prefix4 p4(const char* text) { return *Prefix4::parse(text); }
Prefix6 p6(const char* text) { return *Prefix6::parse(text); }
Ip4Address a4(const char* text) { return *Ip4Address::parse(text); }
Ip6Address a6(const char* text) { return *Ip6Address::parse(text); }

/// Longest-prefix match as it is defined: asks for each length.
template <class Address>
class Model {
 public:
  void set(const Prefix<Address>& prefix, ForwardingIndex index) { routes_[prefix] = index; }
  bool remove(const Prefix<Address>& prefix) { return routes_.erase(prefix) == 1; }
  ForwardingIndex lookup(const Address& address) const {
    for (int length = Address::kBits; length >= 0; --length) {
      const auto it = routes_.find(Prefix<Address>::of(address, static_cast<std::uint8_t>(length)));
      if (it != routes_.end()) return it->second;
    }
    return target(0);
  }
  std::map<Prefix<Address>, ForwardingIndex>& routes() { return routes_; }

 private:
  std::map<Prefix<Address>, ForwardingIndex> routes_;
};

/// Addresses that share beginnings of every length: one that was used, with another byte somewhere.
template <class Address>
class Addresses {
 public:
  explicit Addresses(std::uint32_t seed) : random_(seed) { used_.emplace_back(); }
  Address next() {
    Address a = used_[random_() % used_.size()];
    const std::size_t changed = random_() % (a.bytes.size() + 1);
    if (changed < a.bytes.size()) a.bytes[changed] = static_cast<std::uint8_t>(random_());
    if (used_.size() < 256) {
      used_.push_back(a);
    } else {
      used_[random_() % used_.size()] = a;
    }
    return a;
  }
  std::uint32_t number(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }

 private:
  std::mt19937 random_;
  std::vector<Address> used_;
};

template <class Address>
void agrees_with_the_model(std::uint32_t operations) {
  Rcu rcu;
  FibNodes nodes(rcu);
  {
    Fib<Address> fib(nodes);
    Model<Address> model;
    Addresses<Address> addresses(7);
    for (std::uint32_t i = 0; i < operations; ++i) {
      const auto prefix =
          Prefix<Address>::of(addresses.next(), static_cast<std::uint8_t>(addresses.number(Address::kBits + 1)));
      // In waves: mostly additions, then mostly removals of what is there.
      if (addresses.number(10) < (i / 5000 % 2 ? 8u : 2u)) {
        auto it = model.routes().lower_bound(prefix);
        if (it == model.routes().end()) it = model.routes().begin();
        const auto gone = it == model.routes().end() ? prefix : it->first;
        ASSERT_EQ(fib.remove(gone), model.remove(gone)) << gone.to_string();
        ASSERT_EQ(fib.lookup(gone.address), model.lookup(gone.address)) << gone.to_string() << " operation " << i;
      } else {
        const auto index = target(addresses.number(50) + 1);
        ASSERT_TRUE(fib.set(prefix, index).ok());
        model.set(prefix, index);
      }
      ASSERT_EQ(fib.lookup(prefix.address), model.lookup(prefix.address)) << prefix.to_string() << " operation " << i;
      const auto address = addresses.next();
      ASSERT_EQ(fib.lookup(address), model.lookup(address)) << address.to_string() << " operation " << i;
    }
    for (const auto& [prefix, index] : model.routes())
      ASSERT_EQ(fib.lookup(prefix.address), model.lookup(prefix.address));
    while (!model.routes().empty()) {
      const auto prefix = model.routes().begin()->first;
      ASSERT_TRUE(fib.remove(prefix));
      model.remove(prefix);
    }
    EXPECT_EQ(nodes.used(), 0u) << "nodes stay behind when all routes are gone";
    EXPECT_EQ(fib.lookup(addresses.next()), target(0));
  }
  rcu.drain();
}

// One thread: TSan has nothing to find here, and takes a minute for all of it.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLUICE_FIB_TSAN 1
#endif
#endif
#ifdef SLUICE_FIB_TSAN
constexpr std::uint32_t kOperations = 12000;
#else
constexpr std::uint32_t kOperations = 100000;
#endif

TEST(Fib, AgreesWithTheModelInIp4WhileRoutesComeAndGo) { agrees_with_the_model<Ip4Address>(kOperations); }
TEST(Fib, AgreesWithTheModelInIp6WhileRoutesComeAndGo) { agrees_with_the_model<Ip6Address>(kOperations / 2); }

TEST(Fib, GivesItsNodesBackWithTheTable) {
  Rcu rcu;
  FibNodes nodes(rcu);
  {
    Fib<Ip4Address> fib(nodes);
    EXPECT_TRUE(fib.set(p4("10.1.2.3/32"), target(1)).ok());
    EXPECT_EQ(nodes.used(), 1u) << "levels without a branch take no node";
    EXPECT_TRUE(fib.set(p4("10.1.3.3/32"), target(1)).ok());
    EXPECT_EQ(nodes.used(), 3u);
  }
  EXPECT_EQ(nodes.used(), 0u);
}

TEST(Fib, ANodeThatWasJumpedOverIsPutInWhereRoutesPart) {
  Rcu rcu;
  FibNodes nodes(rcu);
  Fib<Ip6Address> fib(nodes);
  ASSERT_TRUE(fib.set(p6("2001:db8::1/128"), target(1)).ok());
  EXPECT_EQ(nodes.used(), 1u);
  EXPECT_EQ(fib.lookup(a6("2001:db8::1")), target(1));
  EXPECT_EQ(fib.lookup(a6("2001:db8::2")), target(0));
  EXPECT_EQ(fib.lookup(a6("2001:db8:1::1")), target(0)) << "bytes that were jumped over differ";
  ASSERT_TRUE(fib.set(p6("2001:db8::/64"), target(2)).ok());
  EXPECT_EQ(fib.lookup(a6("2001:db8::1")), target(1));
  EXPECT_EQ(fib.lookup(a6("2001:db8::1:0:0:1")), target(2)) << "the /64 is what the host's node misses to";
  EXPECT_EQ(fib.lookup(a6("2001:db8:0:1::1")), target(0));
  ASSERT_TRUE(fib.set(p6("2001:db8::/32"), target(3)).ok());
  EXPECT_EQ(fib.lookup(a6("2001:db8:0:1::1")), target(3));
  EXPECT_TRUE(fib.remove(p6("2001:db8::/64")));
  EXPECT_EQ(fib.lookup(a6("2001:db8::1:0:0:1")), target(3));
  EXPECT_EQ(fib.lookup(a6("2001:db8::1")), target(1));
  EXPECT_EQ(nodes.used(), 2u);
}

TEST(Fib, ALessSpecificRouteReachesEveryMissBelowIt) {
  Rcu rcu;
  FibNodes nodes(rcu);
  Fib<Ip4Address> fib(nodes);
  ASSERT_TRUE(fib.set(p4("10.1.2.3/32"), target(1)).ok());
  ASSERT_TRUE(fib.set(p4("0.0.0.0/0"), target(2)).ok());
  EXPECT_EQ(fib.lookup(a4("10.1.9.9")), target(2));
  ASSERT_TRUE(fib.set(p4("10.0.0.0/8"), target(3)).ok());
  EXPECT_EQ(fib.lookup(a4("10.1.9.9")), target(3));
  EXPECT_EQ(fib.lookup(a4("10.1.2.4")), target(3));
  EXPECT_TRUE(fib.remove(p4("10.0.0.0/8")));
  EXPECT_EQ(fib.lookup(a4("10.1.9.9")), target(2));
  EXPECT_FALSE(fib.remove(p4("10.0.0.0/8")));
}

TEST(Fib, WhenItIsFullItSaysSoAndNothingChanges) {
  Rcu rcu;
  FibNodes nodes(rcu, 1u << 15);
  Fib<Ip4Address> fib(nodes);
  ASSERT_TRUE(fib.set(p4("10.0.0.0/24"), target(1)).ok());
  while (nodes.take(FibNodes::kFullUnits) != FibNodes::kNone) {
  }
  EXPECT_EQ(text(fib.set(p4("10.0.0.1/32"), target(2))),
            "no room for prefix 10.0.0.1/32: all 1 MiB of FIB nodes are taken; delete other routes first");
  EXPECT_EQ(fib.lookup(a4("10.0.0.1")), target(1));
  EXPECT_EQ(fib.size(), 1u);
  EXPECT_TRUE(fib.set(p4("10.0.0.0/24"), target(3)).ok()) << "what is there can be changed";
  EXPECT_TRUE(fib.set(p4("11.0.0.0/16"), target(3)).ok()) << "and what the root holds";
}

TEST(Fib, ANodeIsAsLargeAsItHasToBe) {
  Rcu rcu;
  FibNodes nodes(rcu);
  Fib<Ip4Address> fib(nodes);
  const auto host = [](unsigned i) { return Prefix4::of(Ip4Address(0x0a010200u + i), 32); };
  ASSERT_TRUE(fib.set(host(7), target(1)).ok());
  const std::size_t small = nodes.bytes();
  EXPECT_LE(small, 64u) << "a host alone";
  for (unsigned i = 0; i < 256; ++i) ASSERT_TRUE(fib.set(host(i), target(i + 1)).ok());
  EXPECT_EQ(nodes.used(), 2u) << "a full node, and one above it that knows the byte which is left out";
  EXPECT_EQ(fib.lookup(a4("10.1.2.9")), target(10));
  EXPECT_EQ(fib.lookup(a4("10.1.2.255")), target(256));
  EXPECT_EQ(fib.lookup(a4("10.1.3.9")), target(0));
  ASSERT_TRUE(fib.set(p4("10.1.0.0/16"), target(500)).ok());
  EXPECT_EQ(fib.lookup(a4("10.1.3.9")), target(500));
  for (unsigned i = 0; i < 255; ++i) ASSERT_TRUE(fib.remove(host(i)));
  EXPECT_EQ(fib.lookup(a4("10.1.2.9")), target(500));
  EXPECT_EQ(fib.lookup(a4("10.1.2.255")), target(256));
  EXPECT_EQ(nodes.used(), 1u);
  EXPECT_EQ(nodes.bytes(), small);
}

TEST(Fib, ANodesTablesTakeLittle) {
  Rcu rcu;
  FibNodes nodes4(rcu), nodes6(rcu);
  std::vector<std::unique_ptr<Fib<Ip4Address>>> tables;
  const Fib<Ip6Address> none(nodes6);
  for (std::uint32_t i = 0; i < 100; ++i) {
    auto& fib = *tables.emplace_back(std::make_unique<Fib<Ip4Address>>(nodes4));
    for (std::uint32_t route = 0; route < (i == 0 ? 1000u : 10u); ++route) {
      ASSERT_TRUE(fib.set(Prefix4::of(Ip4Address(0x01000000u + route * 0x00d40500u + i), 32), target(i + 1)).ok());
    }
  }
  EXPECT_LE(nodes4.bytes() + tables[0]->bytes() + none.bytes(), 4000000u) << "1,000 routes, with both families' roots";
  EXPECT_LE(tables[1]->bytes() + none.bytes(), 1000000u) << "another VRF";
  for (std::uint32_t i = 0; i < 100; ++i) {
    EXPECT_EQ(tables[i]->lookup(Ip4Address(0x01000000u + 3 * 0x00d40500u + i)), target(i + 1));
    EXPECT_EQ(tables[i]->lookup(Ip4Address(0x01000000u + 3 * 0x00d40500u + i + 1)), target(0)) << "another VRF's";
  }
}

TEST(Fib, NodesAreUsedAgainAfterAGracePeriod) {
  Rcu rcu;
  FibNodes nodes(rcu, 1u << 10);
  Fib<Ip6Address> fib(nodes);
  for (std::uint32_t round = 0; round < 2000; ++round) {
    auto address = a6("2001:db8::1");
    address.bytes[9] = static_cast<std::uint8_t>(round);
    const auto prefix = Prefix6::of(address, 128);
    ASSERT_TRUE(fib.set(prefix, target(round + 1)).ok()) << "round " << round;
    ASSERT_EQ(fib.lookup(address), target(round + 1));
    ASSERT_TRUE(fib.remove(prefix));
    rcu.drain();
  }
}

// Readers see, for each address, what was there before or after a change, and never something else.
template <class Address>
void readers_never_wait(const Prefix<Address>& around, const Prefix<Address>& host) {
  Rcu rcu;
  FibNodes nodes(rcu);
  Fib<Address> fib(nodes);
  ASSERT_TRUE(fib.set(around, target(1)).ok());
  ASSERT_TRUE(fib.set(host, target(99)).ok());
  const auto inside = [&](Addresses<Address>& addresses) {
    Address a = addresses.next();
    for (unsigned byte = 0; byte < around.length / 8u; ++byte) a.bytes[byte] = around.address.bytes[byte];
    return a;
  };
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0}, reads{0};
  std::vector<std::thread> readers;
  for (std::uint32_t seed = 1; seed <= 2; ++seed) {
    readers.emplace_back([&, seed] {
      Rcu::register_reader();
      Addresses<Address> addresses(seed);
      while (!stop.load(std::memory_order_relaxed)) {
        const auto found = fib.lookup(inside(addresses));
        wrong += found.value == 0 || found.value > 99;
        wrong += fib.lookup(host.address) != target(99);
        ++reads;
        Rcu::quiescent();
      }
      Rcu::unregister_reader();
    });
  }
  Addresses<Address> addresses(3);
  std::set<Prefix<Address>> there;
  for (int i = 0; i < 20000 || reads.load() < 1000; ++i) {
    const auto length = around.length + 1 + addresses.number(Address::kBits - around.length);
    const auto prefix = Prefix<Address>::of(inside(addresses), static_cast<std::uint8_t>(length));
    if (there.size() > 200) {
      EXPECT_TRUE(fib.remove(*there.begin()));
      there.erase(there.begin());
    } else if (prefix != host) {
      EXPECT_TRUE(fib.set(prefix, target(addresses.number(50) + 2)).ok());
      there.insert(prefix);
    }
  }
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0u);
  rcu.drain();
}

TEST(Fib, ReadersGoOnWhileIp4RoutesChange) { readers_never_wait<Ip4Address>(p4("10.0.0.0/8"), p4("10.200.1.1/32")); }
TEST(Fib, ReadersGoOnWhileIp6RoutesChange) {
  readers_never_wait<Ip6Address>(p6("2001:d00::/24"), p6("2001:db8::1/128"));
}

}  // namespace
}  // namespace sluice
