// SPDX-License-Identifier: Apache-2.0
// Route tables like the Internet's for benchmarks: the lengths of prefixes as they are announced, addresses all over
// the unicast space (so that no table is smaller than a real one of its size), in random order, the same in every run
// and on every machine. Destinations are random addresses that have a route. No prefix comes twice; none is a martian,
// a private network or a multicast one.
#pragma once
#include <sluice/net/address.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

namespace sluice::bench {

/// SplitMix64 (Steele, Lea, Flood 2014): the standard library's distributions differ from one library to the next.
class RouteRandom {
 public:
  explicit constexpr RouteRandom(std::uint64_t seed) : state_(seed) {}
  constexpr std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  constexpr std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>((next() >> 32) * end >> 32); }

 private:
  std::uint64_t state_;
};

struct LengthShare {
  std::uint32_t per_mille;
  std::uint8_t length;
};
/// Shares of the lengths in the default-free tables of 2024. Those under 0.5 per mille count with their neighbours.
inline constexpr LengthShare kBgp4Lengths[] = {{596, 24}, {99, 23}, {117, 22}, {53, 21}, {47, 20}, {28, 19}, {16, 18},
                                               {9, 17},   {14, 16}, {9, 15},   {4, 14},  {3, 13},  {3, 12},  {2, 11}};
inline constexpr LengthShare kBgp6Lengths[] = {{470, 48}, {55, 47}, {55, 46}, {22, 45}, {80, 44},
                                               {27, 42},  {90, 40}, {20, 38}, {60, 36}, {25, 33},
                                               {76, 32},  {8, 30},  {6, 29},  {3, 28},  {3, 64}};

inline std::uint8_t random_length(RouteRandom& random, std::span<const LengthShare> shares) {
  std::uint32_t at = random.below(1000);
  for (const LengthShare& share : shares) {
    if (at < share.per_mille) return share.length;
    at -= share.per_mille;
  }
  return shares.front().length;
}

/// Of global unicast space: 1.0.0.0 to 223.255.255.255 without 10/8, 127/8, 169.254/16, 172.16/12 and 192.168/16.
inline Ip4Address random_unicast4(RouteRandom& random) {
  for (;;) {
    const std::uint32_t host = (1 + random.below(223)) << 24 | random.below(1u << 24);
    const std::uint32_t top = host >> 24, two = host >> 16;
    if (top != 10 && top != 127 && two != 0xa9fe && host >> 20 != 0xac1 && two != 0xc0a8) return Ip4Address(host);
  }
}

inline Prefix4 random_bgp(RouteRandom& random, Ip4Address) {
  for (;;) {
    const Ip4Address address = random_unicast4(random);
    const Prefix4 prefix = Prefix4::of(address, random_length(random, kBgp4Lengths));
    // A short prefix may reach into what its address has avoided.
    if (!prefix.address.is_martian_destination() && prefix.address.bytes[0] != 10 &&
        !prefix.contains(Ip4Address(0xac100000)) && !prefix.contains(Ip4Address(0xc0a80000)) &&
        !prefix.contains(Ip4Address(0xa9fe0000))) {
      return prefix;
    }
  }
}

/// Registries give blocks (a few hundred /16) to 40,000 providers, a /32 each, who announce most of what there is.
inline Prefix6 random_bgp(RouteRandom& random, Ip6Address) {
  constexpr std::uint32_t kProviders = 40000;
  RouteRandom provider(random.below(kProviders));
  Ip6Address address;
  address.bytes[0] = static_cast<std::uint8_t>(0x20 + provider.below(11));
  address.bytes[1] = static_cast<std::uint8_t>(provider.below(32));
  for (std::size_t i = 2; i < 4; ++i) address.bytes[i] = static_cast<std::uint8_t>(provider.next());
  for (std::size_t i = 4; i < 16; ++i) address.bytes[i] = static_cast<std::uint8_t>(random.next());
  return Prefix6::of(address, random_length(random, kBgp6Lengths));
}

template <class Address, class Make>
std::vector<Prefix<Address>> distinct_prefixes(std::size_t count, Make&& make) {
  std::unordered_set<Prefix<Address>> seen;
  std::vector<Prefix<Address>> prefixes;
  seen.reserve(count);
  prefixes.reserve(count);
  while (prefixes.size() < count) {
    const Prefix<Address> prefix = make();
    if (seen.insert(prefix).second) prefixes.push_back(prefix);
  }
  return prefixes;
}

/// count different prefixes of BGP's lengths; Address says the family. Another seed makes another table.
template <class Address>
std::vector<Prefix<Address>> bgp_prefixes(std::size_t count, std::uint64_t seed = 1) {
  RouteRandom random(seed);
  return distinct_prefixes<Address>(count, [&] { return random_bgp(random, Address{}); });
}

/// count different /32, spread evenly: the worst for a trie.
inline std::vector<Prefix4> host_prefixes(std::size_t count, std::uint64_t seed = 1) {
  RouteRandom random(seed);
  return distinct_prefixes<Ip4Address>(count, [&] { return Prefix4::of(random_unicast4(random), 32); });
}

/// A random address in prefix.
template <class Address>
Address random_address_in(RouteRandom& random, const Prefix<Address>& prefix) {
  Address address = prefix.address;
  for (std::size_t i = 0; i < address.bytes.size(); ++i) {
    const std::size_t fixed = prefix.length > 8 * i ? prefix.length - 8 * i : 0;
    if (fixed < 8) address.bytes[i] |= static_cast<std::uint8_t>(random.next() & 0xffu >> fixed);
  }
  return address;
}

/// count addresses, each in a prefix that was picked at random.
template <class Address>
std::vector<Address> random_destinations(const std::vector<Prefix<Address>>& prefixes, std::size_t count,
                                         std::uint64_t seed = 2) {
  RouteRandom random(seed);
  std::vector<Address> addresses;
  addresses.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    addresses.push_back(random_address_in(random, prefixes[random.below(static_cast<std::uint32_t>(prefixes.size()))]));
  }
  return addresses;
}

}  // namespace sluice::bench
