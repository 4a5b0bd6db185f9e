// SPDX-License-Identifier: Apache-2.0
// Which prefixes a FIB has, with what they lead to: also those that longer ones hide.
#pragma once
#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "sluice/net/address.h"
#include "sluice/types.h"

namespace sluice {

template <class Address>
class FibPrefixes {
 public:
  bool contains(const Prefix<Address>& prefix) const { return map_.contains(prefix); }
  void put(const Prefix<Address>& prefix, ForwardingIndex target) {
    if (map_.insert_or_assign(prefix, target).second) ++count_[prefix.length];
  }
  bool erase(const Prefix<Address>& prefix) {
    if (map_.erase(prefix) == 0) return false;
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
      map_.prefetch(asked[n++]);  // they miss the caches one and all: together, not one behind the other
    }
    for (std::size_t i = 0; i < n; ++i) {
      if (const auto it = map_.find(asked[i]); it != map_.end()) return {it->second, asked[i].length};
    }
    return {ForwardingIndex{0}, 0};
  }
  std::size_t size() const { return map_.size(); }
  std::size_t bytes() const { return map_.capacity() * (sizeof(typename Map::value_type) + 1); }

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

  Map map_;
  std::array<std::uint32_t, Address::kBits + 1> count_{};  // by length
};

}  // namespace sluice
