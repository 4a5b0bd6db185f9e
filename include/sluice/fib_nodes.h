// SPDX-License-Identifier: Apache-2.0
// The nodes of a FIB's trie. A node takes one byte of the address, the one at its position, and is as large as it has
// to be: Full has an entry for each value of the byte; Small and Medium have runs of values that lead to the same,
// found by comparing the byte with all their first values at once, and lie in one cache line (IPv6 Medium in two).
//
// Levels without a branch are left out above a Small or Medium node: it knows the bytes that lead to it, and an address
// with others meets its `miss`. A Full node stands directly below the node that leads to it. Below the root all that
// branch or end at once are Full: most addresses end there, and find it soonest.
//
// The control thread changes values in place; what has to look different is made anew, and the old node is reused after
// a grace period.
#pragma once
#include <emmintrin.h>
#include <sluice/net/address.h>
#include <sluice/published.h>
#include <sluice/types.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace sluice {

/// Where things lie in a Small or Medium node, in bytes from its start: the address's bytes in front of its position
/// (zero behind), the miss, the first values of all runs but the first, and what the runs lead to. With fewer runs than
/// there is room for, the last ones begin (and all but the last of them end) at 255.
template <class Address>
struct FibLayout {
  static constexpr bool kIp4 = Address::kBits == 32;
  static constexpr std::size_t kMiss = sizeof(Address), kStarts = kMiss + 4;
  static constexpr unsigned kSmallRuns = kIp4 ? 5 : 9, kMediumRuns = kIp4 ? 11 : 17;
  static constexpr std::size_t kSmallValues = kStarts + (kIp4 ? 4 : 8), kMediumValues = kStarts + (kIp4 ? 12 : 16);
  static constexpr std::uint32_t kSmallUnits = kIp4 ? 1 : 2, kMediumUnits = 2 * kSmallUnits;
};

/// The nodes of all tables of one family: one reserved region, of which only what is used takes memory.
class SLUICE_API FibNodes {
 public:
  static constexpr std::uint32_t kFanout = 256;
  static constexpr std::size_t kUnitBytes = 32;
  static constexpr std::uint32_t kFullUnits = kFanout * 4 / kUnitBytes;
  static constexpr std::uint32_t kUnits = 1u << 25;  ///< the most: 1 GiB
  // A reference to a node: the number of its first unit, which byte of the address it takes (bits 25 to 28), and its
  // form.
  static constexpr std::uint32_t kNodeBit = 1u << 31;
  static constexpr std::uint32_t kRunsBit = 1u << 30;
  static constexpr std::uint32_t kMediumBit = 1u << 29;
  using Entry = std::atomic<std::uint32_t>;

  /// max_units: at most kUnits, and a multiple of kFullUnits.
  explicit FibNodes(Rcu& rcu, std::uint32_t max_units = kUnits);
  ~FibNodes();
  FibNodes(const FibNodes&) = delete;
  FibNodes& operator=(const FibNodes&) = delete;

  static constexpr bool is_leaf(std::uint32_t value) noexcept { return (value & kNodeBit) == 0; }
  static constexpr bool has_runs(std::uint32_t value) noexcept { return (value & kRunsBit) != 0; }
  static constexpr bool is_medium(std::uint32_t value) noexcept { return (value & kMediumBit) != 0; }
  static constexpr std::uint32_t number(std::uint32_t value) noexcept { return value & (kUnits - 1); }
  static constexpr unsigned position(std::uint32_t value) noexcept { return value >> 25 & 15; }
  template <class Address>
  static std::uint8_t byte_of(std::uint32_t reference, const Address& address) noexcept {
    return address.bytes[position(reference) % sizeof(Address)];
  }

  /// The value with which to step to an entry of the root.
  static constexpr std::uint32_t kAtRoot = kNodeBit;
  /// Data path: reads what a node says of address, where value has led to the node, or in it to an entry; makes of both
  /// what is to be read next and starts to fetch that. A leaf's entry can be read again: all addresses of a vector may
  /// take as many steps, and nothing guesses where each ends.
  template <class Address>
  void step(std::uint32_t& value, const Entry*& entry, const Address& address) const noexcept {
    const Entry* const here = place(value, entry, address);
    const std::uint32_t found = here->load(std::memory_order_acquire);
    const Entry* const next = locate(found, address);
    if constexpr (FibLayout<Address>::kMediumUnits * kUnitBytes > 64) {
      __builtin_prefetch(next + bit_of(found, kMediumBit) * (64 / sizeof(Entry)));
    }
    value = found;
    entry = __builtin_expect_with_probability(is_leaf(found), 1, 0.5) ? here : next;  // by no branch
    __builtin_prefetch(entry);
  }

  // Control thread.
  Entry* words(std::uint32_t reference) const { return words_ + std::size_t{number(reference)} * kWordsPerUnit; }
  /// Of the prefixes that entries come from: one for each entry or run, and the last byte for a miss.
  std::uint8_t* lengths(std::uint32_t reference) const { return lengths_ + std::size_t{number(reference)} * kLengths; }
  std::byte* bytes_of(std::uint32_t reference) const { return reinterpret_cast<std::byte*>(words(reference)); }
  static Entry* word_at(std::byte* node, std::size_t at) { return reinterpret_cast<Entry*>(node + at); }
  static const Entry* word_at(const std::byte* node, std::size_t at) {
    return reinterpret_cast<const Entry*>(node + at);
  }
  /// The entry of the run that the address's byte is in.
  template <class Address>
  static const Entry* run_of(std::uint32_t reference, const std::byte* node, const Address& address) noexcept {
    using Layout = FibLayout<Address>;
    // By arithmetic: whether a node is Small or Medium is nothing to guess either.
    constexpr unsigned kSmallMask = (1u << (Layout::kSmallRuns - 1)) - 1;
    constexpr unsigned kMediumMask = (1u << (Layout::kMediumRuns - 1)) - 1;
    const std::uint32_t medium = bit_of(reference, kMediumBit);
    const unsigned mask = kSmallMask | (kMediumMask & (0 - medium));
    const auto run =
        static_cast<unsigned>(std::popcount(begun(node + Layout::kStarts, byte_of(reference, address)) & mask));
    return word_at(
        node, Layout::kSmallValues + medium * (Layout::kMediumValues - Layout::kSmallValues) + 4 * std::size_t{run});
  }
  /// Whether the first n bytes (2 to 15) are the node's. Memory order: the first byte is the lowest.
  static bool leads_to(const std::byte* node, const Ip4Address& address, unsigned n) noexcept {
    std::uint32_t a, b;
    std::memcpy(&a, node, sizeof a);
    std::memcpy(&b, address.bytes.data(), sizeof b);
    return (std::uint64_t{a ^ b} & ((std::uint64_t{1} << (8 * n)) - 1)) == 0;
  }
  static bool leads_to(const std::byte* node, const Ip6Address& address, unsigned n) noexcept {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(node));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(address.bytes.data()));
    return (~static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(a, b))) & ((1u << n) - 1)) == 0;
  }

  static constexpr std::uint32_t kNone = kUnits;
  /// The first of units (a power of two up to 4, or kFullUnits) in one piece; kNone when there are none.
  std::uint32_t take(std::uint32_t units);
  void give(std::uint32_t first, std::uint32_t units);
  /// Whether take() will have so many nodes of this size, and as well one of each that is asked for with it.
  bool has_room(std::uint32_t small_units, std::uint32_t count, std::uint32_t medium_units);
  std::uint32_t used() const { return used_; }
  std::uint32_t max_units() const { return max_units_; }
  /// What the nodes in use take.
  std::size_t bytes() const { return used_units_ * (kUnitBytes + kLengths); }

 private:
  // Where the node that reference refers to says how address goes on: an entry, or the node itself when it has runs.
  template <class Address>
  const Entry* locate(std::uint32_t reference, const Address& address) const noexcept {
    const std::uint8_t byte = byte_of(reference, address);
    if constexpr (FibLayout<Address>::kIp4) {
      return has_runs(reference) ? words(reference) : words(reference) + byte;  // full ones by far the most often
    } else {
      return words(reference) + (byte & (bit_of(reference, kRunsBit) - 1));
    }
  }
  // The entry for address, of what locate() has found.
  template <class Address>
  static const Entry* place(std::uint32_t reference, const Entry* entry, const Address& address) noexcept {
    if (!has_runs(reference)) return entry;
    const auto* node = reinterpret_cast<const std::byte*>(entry);
    const Entry* const found = run_of<Address>(reference, node, address);
    return leads_to(node, address, position(reference)) ? found : word_at(node, FibLayout<Address>::kMiss);
  }
  // Which of 16 first values a byte has reached. In a Small node these are not all first values: what stands behind
  // them may change at any time, and is masked out. ThreadSanitizer does not know that.
  __attribute__((no_sanitize("thread"))) static unsigned begun(const std::byte* starts, std::uint8_t byte) noexcept {
    const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i*>(starts));
    const __m128i reached = _mm_cmpeq_epi8(_mm_min_epu8(all, _mm_set1_epi8(static_cast<char>(byte))), all);
    return static_cast<unsigned>(_mm_movemask_epi8(reached));
  }
  static constexpr std::size_t kWordsPerUnit = kUnitBytes / 4, kLengths = 8;
  static constexpr std::uint32_t bit_of(std::uint32_t reference, std::uint32_t bit) noexcept {
    return reference >> std::countr_zero(bit) & 1;
  }
  static_assert(std::endian::native == std::endian::little);

  using Numbers = std::vector<std::uint32_t>;
  using BySize = std::array<Numbers, 6>;  // of nodes of 1, 2, 4, -, -, 32 units
  struct Returned;
  void reclaim();

  Rcu& rcu_;
  const std::uint32_t max_units_;
  Entry* words_ = nullptr;
  std::uint8_t* lengths_ = nullptr;
  std::shared_ptr<Returned> returned_;
  BySize free_, given_;  // given back: still to wait for a grace period
  std::uint32_t next_ = 0, used_ = 0;
  std::size_t used_units_ = 0;
};

}  // namespace sluice
