// SPDX-License-Identifier: Apache-2.0
// The forwarding information base: longest-prefix match as a trie of 65,536 entries at the root and nodes behind it
// (fib_nodes.h), one byte of the address each. An entry is a node or a forwarding object; the best match is pushed down
// to it, so that a lookup never looks back. Levels without a branch are left out, so a host route costs one small node
// wherever it is alone, and a table costs what it branches.
//
// Workers read while the control thread changes entries in place or puts other nodes there. The reader is the same for
// ten routes and for a million.
#pragma once
#include <sluice/fib_nodes.h>
#include <sluice/status.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

namespace sluice {

template <class Address>
class FibPrefixes;
template <class Address>
class FibEditor;
class FibRuns;
struct FibLeaf;

/// One table of one family.
template <class Address>
class SLUICE_API Fib {
 public:
  using Entry = FibNodes::Entry;

  explicit Fib(FibNodes& nodes);
  ~Fib();
  Fib(const Fib&) = delete;
  Fib& operator=(const Fib&) = delete;

  // Data path: FibNodes::step() from first() and FibNodes::kAtRoot on, until is_leaf().
  const Entry* root() const noexcept { return root_.get(); }
  static const Entry* first(const Entry* root, const Address& address) noexcept {
    return &root[std::size_t{address.bytes[0]} << 8 | address.bytes[1]];
  }
  const Entry* first(const Address& address) const noexcept { return first(root(), address); }
  static bool is_leaf(std::uint32_t value) noexcept { return FibNodes::is_leaf(value); }
  /// All of it at once.
  ForwardingIndex lookup(const Address& address) const noexcept {
    std::uint32_t value = FibNodes::kAtRoot;
    for (const Entry* entry = first(address); !is_leaf(value);) nodes_.step(value, entry, address);
    return ForwardingIndex{value};
  }

  // Control thread.
  /// Adds a prefix or changes what it leads to. Errors: no room for another prefix; nothing changed.
  Status set(const Prefix<Address>& prefix, ForwardingIndex target);
  /// False: there is none.
  bool remove(const Prefix<Address>& prefix);
  /// How many prefixes there are.
  std::size_t size() const;
  /// What the root and the list of prefixes take; nodes belong to all tables.
  std::size_t bytes() const;

 private:
  static constexpr std::uint32_t kRootEntries = 1u << 16;
  static constexpr std::uint8_t kRootBits = 16;

  /// An entry and what belongs to it; position is the byte of the address that chose it (1 at the root).
  struct Slot {
    Entry* entry;
    std::uint8_t* length;
    unsigned position;
    std::uint32_t reference() const { return entry->load(std::memory_order_relaxed); }
  };
  /// From the root downwards: each slot but the first is in the node that the one before refers to.
  struct Path {
    std::array<Slot, Address::kBits / 8> slots;
    unsigned depth = 0;
    void push(Slot slot) { slots[depth++] = slot; }
    Slot& last() { return slots[depth - 1]; }
  };
  /// Prefixes of these lengths give way.
  struct Lengths {
    std::uint8_t from, to;
    bool contains(std::uint8_t length) const { return length >= from && length <= to; }
  };
  struct Span {
    std::uint32_t first, count;
  };
  using Editor = FibEditor<Address>;
  Editor edit() const;
  static Span span_of(const Prefix<Address>& prefix);
  Slot root_slot(const Address& address) const;
  Slot slot_in(std::uint32_t node, const Address& address) const;

  /// Leads to the node that the prefix's entries are in. When there was none, one is made that holds leaf.
  bool reach(Path& path, const Prefix<Address>& prefix, FibLeaf leaf);
  std::uint32_t insert_above(Slot slot, const Address& address, unsigned position);
  void attach(Path& path, const Address& address, std::uint32_t node);
  void replace(Slot slot, const Address& address, const FibRuns& runs);
  void point(Slot slot, const Address& address, std::uint32_t node, FibLeaf miss);

  void paint(Slot slot, const Prefix<Address>& prefix, Lengths lengths, FibLeaf leaf);
  void paint_entries(Entry* entries, std::uint8_t* of, Span span, Lengths lengths, FibLeaf leaf);
  void paint_below(std::uint32_t node, Lengths lengths, FibLeaf leaf);

  void tidy(Path& path, const Address& address);
  bool tidy_full(Slot slot, const Address& address);
  bool leave_out_full(Slot slot, const FibRuns& runs);
  FibLeaf covering(const Address& address, std::uint8_t shorter_than) const;
  void drop_nodes(std::uint32_t value);

  FibNodes& nodes_;
  std::unique_ptr<Entry[]> root_;
  std::unique_ptr<std::uint8_t[]> root_lengths_;
  std::unique_ptr<FibPrefixes<Address>> prefixes_;
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
