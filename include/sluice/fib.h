// SPDX-License-Identifier: Apache-2.0
// The forwarding information base: longest-prefix match as a trie of 65,536 entries at the root and 256 in each node
// behind it. An entry is a node or a forwarding object; the best match is pushed down to it, so that a lookup never
// looks back. Workers read while the control thread changes entries in place; a node that is not needed any more is
// reused after a grace period. The reader is the same for ten routes and for a million.
#pragma once
#include <sluice/net/address.h>
#include <sluice/published.h>
#include <sluice/status.h>
#include <sluice/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace sluice {

/// The nodes of all tables of one family: one reserved region, of which only what is used takes memory.
class SLUICE_API FibNodes {
 public:
  static constexpr std::uint32_t kFanout = 256;
  static constexpr std::uint32_t kCapacity = 1u << 20;
  static constexpr std::uint32_t kNodeBit = 1u << 31;
  using Entry = std::atomic<std::uint32_t>;

  explicit FibNodes(Rcu& rcu);
  ~FibNodes();
  FibNodes(const FibNodes&) = delete;
  FibNodes& operator=(const FibNodes&) = delete;

  /// Data path: entry number slot of the node that value (with kNodeBit) names.
  const Entry* entry(std::uint32_t value, std::uint8_t slot) const noexcept {
    return &entries_[std::size_t{value & ~kNodeBit} * kFanout + slot];
  }

  // Control thread.
  Entry* entries(std::uint32_t node) const { return entries_ + std::size_t{node} * kFanout; }
  std::uint8_t* lengths(std::uint32_t node) const { return lengths_ + std::size_t{node} * kFanout; }
  /// kCapacity when all are taken.
  std::uint32_t take();
  void give(std::uint32_t node);
  /// How many take() still has; those given back count after a grace period.
  std::uint32_t available() const;
  std::uint32_t used() const { return used_; }

 private:
  struct FreeList;
  Rcu& rcu_;
  Entry* entries_ = nullptr;
  std::uint8_t* lengths_ = nullptr;  // of the prefix that each entry comes from
  std::shared_ptr<FreeList> free_;
  std::uint32_t next_ = 0, used_ = 0;
};

/// One table of one family.
template <class Address>
class SLUICE_API Fib {
 public:
  using Entry = FibNodes::Entry;
  static constexpr unsigned kBytes = Address::kBits / 8;
  static constexpr unsigned kLevels = kBytes - 1;  ///< entries that a lookup reads at most

  explicit Fib(FibNodes& nodes);
  ~Fib();
  Fib(const Fib&) = delete;
  Fib& operator=(const Fib&) = delete;

  // Data path: first(), then next() until is_leaf().
  const Entry* first(const Address& address) const noexcept {
    return &root_[std::size_t{address.bytes[0]} << 8 | address.bytes[1]];
  }
  /// level: 0 behind first().
  const Entry* next(std::uint32_t value, const Address& address, unsigned level) const noexcept {
    return nodes_.entry(value, address.bytes[level + 2]);
  }
  static bool is_leaf(std::uint32_t value) noexcept { return (value & FibNodes::kNodeBit) == 0; }
  /// All of it at once.
  ForwardingIndex lookup(const Address& address) const noexcept {
    std::uint32_t value = first(address)->load(std::memory_order_acquire);
    for (unsigned level = 0; !is_leaf(value); ++level) {
      value = next(value, address, level)->load(std::memory_order_acquire);
    }
    return ForwardingIndex{value};
  }

  // Control thread.
  /// Adds a prefix or changes what it leads to. Errors: no nodes are left; nothing changed.
  Status set(const Prefix<Address>& prefix, ForwardingIndex target);
  bool remove(const Prefix<Address>& prefix);
  const std::map<Prefix<Address>, ForwardingIndex>& prefixes() const { return prefixes_; }

 private:
  struct Span {
    Entry* entries;
    std::uint8_t* lengths;
    std::uint32_t first, count;
  };
  struct Leaf {
    std::uint32_t value;
    std::uint8_t length;
  };
  unsigned nodes_needed(const Prefix<Address>& prefix) const;
  Span span(const Prefix<Address>& prefix, bool make);
  void paint(const Span& where, std::uint8_t from_length, std::uint8_t to_length, Leaf leaf);
  void collapse(const Prefix<Address>& prefix);
  Leaf covering(const Prefix<Address>& prefix) const;
  void drop_nodes(std::uint32_t value);

  FibNodes& nodes_;
  std::unique_ptr<Entry[]> root_;
  std::unique_ptr<std::uint8_t[]> root_lengths_;
  std::map<Prefix<Address>, ForwardingIndex> prefixes_;
};

extern template class Fib<Ip4Address>;
extern template class Fib<Ip6Address>;

/// The tables of one family, by index.
template <class Address>
class FibTables {
 public:
  static constexpr std::uint32_t kCapacity = 1024;
  /// Data path; null when there is no such table.
  const Fib<Address>* find(TableIndex table) const noexcept {
    return table.value < kCapacity ? tables_[table.value].load(std::memory_order_acquire) : nullptr;
  }
  /// Control thread.
  void set(TableIndex table, const Fib<Address>* fib) { tables_[table.value].store(fib, std::memory_order_release); }

 private:
  std::array<std::atomic<const Fib<Address>*>, kCapacity> tables_{};
};

}  // namespace sluice
