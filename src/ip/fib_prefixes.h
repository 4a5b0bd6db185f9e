// SPDX-License-Identifier: Apache-2.0
// Which prefixes a FIB has, with what they lead to: also those that longer ones hide. It lies in parts that grow one by
// one, so that no single route has to wait until a million others have found another place.
#pragma once
#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <utility>

#include "sluice/net/address.h"
#include "sluice/types.h"

namespace sluice {

template <class Address>
class FibPrefixes {
 public:
  bool contains(const Prefix<Address>& prefix) const { return part(prefix).contains(prefix); }
  void put(const Prefix<Address>& prefix, ForwardingIndex target) {
    if (part(prefix).insert_or_assign(prefix, target).second) ++count_[prefix.length];
  }
  bool erase(const Prefix<Address>& prefix) {
    if (part(prefix).erase(prefix) == 0) return false;
    --count_[prefix.length];
    return true;
  }
  /// The longest one shorter than this that address is in, and its length; (0, 0) without one.
  std::pair<ForwardingIndex, std::uint8_t> covering(const Address& address, std::uint8_t shorter_than) const {
    std::array<Prefix<Address>, Address::kBits> asked;
    std::size_t n = 0;
    for (unsigned length = shorter_than; length-- > 0;) {
      if (count_[length] == 0) continue;
      asked[n] = Prefix<Address>::of(address, static_cast<std::uint8_t>(length));
      part(asked[n]).prefetch(asked[n]);  // they miss the caches one and all: together, not one behind the other
      ++n;
    }
    for (std::size_t i = 0; i < n; ++i) {
      const Map& map = part(asked[i]);
      if (const auto it = map.find(asked[i]); it != map.end()) return {it->second, asked[i].length};
    }
    return {ForwardingIndex{0}, 0};
  }
  std::size_t size() const { return std::accumulate(count_.begin(), count_.end(), std::size_t{0}); }
  std::size_t bytes() const {
    std::size_t capacity = 0;
    for (const Map& map : parts_) capacity += map.capacity();
    return sizeof parts_ + capacity * (sizeof(typename Map::value_type) + 1);
  }

 private:
  // Every bit counts: the table takes some for its place and some to tell entries apart.
  struct Hash {
    static std::size_t fold(std::uint64_t a, std::uint64_t b) {
      __extension__ using Wide = unsigned __int128;
      const Wide product = Wide{a} * b;
      return static_cast<std::size_t>(product) ^ static_cast<std::size_t>(product >> 64);
    }
    std::size_t operator()(const Prefix<Ip4Address>& p) const {
      return fold((std::uint64_t{p.address.host()} << 8 | p.length) ^ 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9);
    }
    std::size_t operator()(const Prefix<Ip6Address>& p) const {
      return fold(fold(p.address.high() ^ 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9) ^ p.address.low() ^ p.length,
                  0x94d049bb133111eb);
    }
  };
  using Map = absl::flat_hash_map<Prefix<Address>, ForwardingIndex, Hash>;

  // 64 parts: with a million prefixes each holds 16,384, which move in half a millisecond.
  static constexpr unsigned kPartBits = 6;
  const Map& part(const Prefix<Address>& prefix) const { return parts_[Hash{}(prefix) >> (64 - kPartBits)]; }
  Map& part(const Prefix<Address>& prefix) { return parts_[Hash{}(prefix) >> (64 - kPartBits)]; }

  std::array<Map, 1u << kPartBits> parts_;
  std::array<std::uint32_t, Address::kBits + 1> count_{};  // by length
};

}  // namespace sluice
