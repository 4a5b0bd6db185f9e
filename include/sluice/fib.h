// SPDX-License-Identifier: Apache-2.0
// The forwarding information base: longest-prefix match as a trie of 65,536 entries at the root and 256 in each node
// behind it, one byte of the address each. An entry is a node or a forwarding object; the best match is pushed down to
// it, so that a lookup never looks back. Levels without a branch are left out: a node knows the bytes that lead to it,
// and an address with others meets the node's `miss`; only references that jump over bytes say that this has to be
// looked at. So a host route costs one node wherever it is alone, and a table costs what it branches.
//
// Workers read while the control thread changes entries in place; a node that is not needed any more is reused after a
// grace period. The reader is the same for ten routes and for a million.
#pragma once
#include <sluice/net/address.h>
#include <sluice/published.h>
#include <sluice/status.h>
#include <sluice/types.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
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
  // A reference to a node: its number, which byte of the address chooses the entry there (bits 20 to 23), and whether
  // the bytes before that one have to be compared.
  static constexpr std::uint32_t kNodeBit = 1u << 31;
  static constexpr std::uint32_t kSkipBit = 1u << 30;
  using Entry = std::atomic<std::uint32_t>;

  struct alignas(32) Header {
    std::array<std::uint8_t, 16> bytes;  ///< of addresses that lead here, up to the node's position; zero behind
    Entry miss;                          ///< what other addresses lead to
    std::uint8_t miss_length;            ///< of the prefix that miss comes from
  };

  explicit FibNodes(Rcu& rcu);
  ~FibNodes();
  FibNodes(const FibNodes&) = delete;
  FibNodes& operator=(const FibNodes&) = delete;

  static constexpr bool is_leaf(std::uint32_t value) noexcept { return (value & kNodeBit) == 0; }
  static constexpr std::uint32_t number(std::uint32_t value) noexcept { return value & (kCapacity - 1); }
  static constexpr unsigned position(std::uint32_t value) noexcept { return value >> 20 & 15; }

  /// Data path: where the node that value refers to says how address goes on. Starts to fetch what read() needs.
  template <class Address>
  const Entry* locate(std::uint32_t value, const Address& address) const noexcept {
    const Entry* entry = &entries_[std::size_t{number(value)} * kFanout + address.bytes[position(value)]];
    __builtin_prefetch(entry);
    if (value & kSkipBit) __builtin_prefetch(&headers_[number(value)]);
    return entry;
  }
  /// Data path: reads an entry that was reached by a reference (0 for entries of the root).
  template <class Address>
  std::uint32_t read(std::uint32_t reference, const Entry* entry, const Address& address) const noexcept {
    if (reference & kSkipBit) {
      const Header& header = headers_[number(reference)];
      if (!leads_to(header, address, position(reference))) return header.miss.load(std::memory_order_acquire);
    }
    return entry->load(std::memory_order_acquire);
  }

  // Control thread.
  Entry* entries(std::uint32_t node) const { return entries_ + std::size_t{node} * kFanout; }
  std::uint8_t* lengths(std::uint32_t node) const { return lengths_ + std::size_t{node} * kFanout; }
  Header& header(std::uint32_t node) const { return headers_[node]; }
  /// kCapacity when all are taken.
  std::uint32_t take();
  void give(std::uint32_t node);
  /// How many take() still has; those given back count after a grace period.
  std::uint32_t available() const;
  std::uint32_t used() const { return used_; }
  /// What the nodes in use take.
  std::size_t bytes() const { return std::size_t{used_} * (kFanout * 5 + sizeof(Header)); }

 private:
  static constexpr std::uint64_t low_bytes(unsigned n) noexcept {
    return n >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * n)) - 1;
  }
  /// Whether the first n bytes (2 to 15) are the node's. Memory order: the first byte is the lowest.
  static bool leads_to(const Header& header, const Ip4Address& address, unsigned n) noexcept {
    std::uint32_t a, b;
    std::memcpy(&a, header.bytes.data(), sizeof a);
    std::memcpy(&b, address.bytes.data(), sizeof b);
    return ((a ^ b) & low_bytes(n)) == 0;
  }
  static bool leads_to(const Header& header, const Ip6Address& address, unsigned n) noexcept {
    std::uint64_t a[2], b[2];
    std::memcpy(a, header.bytes.data(), sizeof a);
    std::memcpy(b, address.bytes.data(), sizeof b);
    return (((a[0] ^ b[0]) & low_bytes(n)) | ((a[1] ^ b[1]) & (n > 8 ? low_bytes(n - 8) : 0))) == 0;
  }
  static_assert(std::endian::native == std::endian::little);

  struct FreeList;
  Rcu& rcu_;
  Entry* entries_ = nullptr;
  std::uint8_t* lengths_ = nullptr;  // of the prefix that each entry comes from
  Header* headers_ = nullptr;
  std::shared_ptr<FreeList> free_;
  std::uint32_t next_ = 0, used_ = 0;
};

/// One table of one family.
template <class Address>
class SLUICE_API Fib {
 public:
  using Entry = FibNodes::Entry;

  explicit Fib(FibNodes& nodes);
  ~Fib();
  Fib(const Fib&) = delete;
  Fib& operator=(const Fib&) = delete;

  // Data path: read first(), then read what FibNodes::locate() says, until is_leaf().
  const Entry* first(const Address& address) const noexcept {
    return &root_[std::size_t{address.bytes[0]} << 8 | address.bytes[1]];
  }
  static bool is_leaf(std::uint32_t value) noexcept { return FibNodes::is_leaf(value); }
  /// All of it at once.
  ForwardingIndex lookup(const Address& address) const noexcept {
    std::uint32_t value = first(address)->load(std::memory_order_acquire);
    while (!is_leaf(value)) value = nodes_.read(value, nodes_.locate(value, address), address);
    return ForwardingIndex{value};
  }

  // Control thread.
  /// Adds a prefix or changes what it leads to. Errors: no nodes are left; nothing changed.
  Status set(const Prefix<Address>& prefix, ForwardingIndex target);
  bool remove(const Prefix<Address>& prefix);
  const std::map<Prefix<Address>, ForwardingIndex>& prefixes() const { return prefixes_; }

 private:
  /// An entry and what belongs to it; position is the byte of the address that chose it (1 at the root).
  struct Slot {
    Entry* entry;
    std::uint8_t* length;
    unsigned position;
  };
  struct Span {
    Entry* entries;
    std::uint8_t* lengths;
    std::uint32_t first, count;
  };
  struct Leaf {
    std::uint32_t value;
    std::uint8_t length;
  };
  Slot root_slot(const Address& address) const;
  Slot slot_in(std::uint32_t node, unsigned position, const Address& address) const;
  Span span_in(std::uint32_t node, const Prefix<Address>& prefix) const;
  /// The prefix's entries; the nodes that they need are made.
  Span span(const Prefix<Address>& prefix);
  std::uint32_t make_node(const Address& address, unsigned position, Leaf leaf);
  std::uint32_t insert_above(Slot slot, const Address& address, unsigned position);
  static void point(Slot slot, std::uint32_t node, unsigned position);
  void paint(const Span& where, std::uint8_t from_length, std::uint8_t to_length, Leaf leaf);
  void collapse(const Prefix<Address>& prefix);
  bool collapse(Slot slot);
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
