// SPDX-License-Identifier: Apache-2.0
#include "sluice/fib.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <new>

namespace sluice {

struct FibNodes::FreeList {
  std::mutex mutex;
  std::vector<std::uint32_t> nodes;
};

namespace {

constexpr std::size_t kEntryBytes = std::size_t{FibNodes::kCapacity} * FibNodes::kFanout * sizeof(FibNodes::Entry);
constexpr std::size_t kLengthBytes = std::size_t{FibNodes::kCapacity} * FibNodes::kFanout;
constexpr std::size_t kHeaderBytes = std::size_t{FibNodes::kCapacity} * sizeof(FibNodes::Header);
constexpr unsigned kRootBits = 16;

// The byte that chooses the entries of a prefix behind the root.
unsigned position_of(std::uint8_t length) { return (length - 1u) / 8; }

void* reserve(std::size_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  // A large table is walked all over: fewer TLB misses. A small one does not pay for a huge page.
  constexpr std::size_t kOrdinary = 2u << 20;
  madvise(static_cast<std::byte*>(at) + kOrdinary, bytes - kOrdinary, MADV_HUGEPAGE);
  return at;
}

}  // namespace

FibNodes::FibNodes(Rcu& rcu)
    : rcu_(rcu),
      entries_(static_cast<Entry*>(reserve(kEntryBytes))),
      lengths_(static_cast<std::uint8_t*>(reserve(kLengthBytes))),
      headers_(static_cast<Header*>(reserve(kHeaderBytes))),
      free_(std::make_shared<FreeList>()) {}

FibNodes::~FibNodes() {
  munmap(entries_, kEntryBytes);
  munmap(lengths_, kLengthBytes);
  munmap(headers_, kHeaderBytes);
}

std::uint32_t FibNodes::take() {
  {
    const std::lock_guard lock(free_->mutex);
    if (!free_->nodes.empty()) {
      const std::uint32_t node = free_->nodes.back();
      free_->nodes.pop_back();
      ++used_;
      return node;
    }
  }
  if (next_ == kCapacity) return kCapacity;
  ++used_;
  return next_++;
}

std::uint32_t FibNodes::available() const {
  const std::lock_guard lock(free_->mutex);
  return kCapacity - next_ + static_cast<std::uint32_t>(free_->nodes.size());
}

void FibNodes::give(std::uint32_t node) {
  --used_;
  rcu_.defer([free = free_, node] {
    const std::lock_guard lock(free->mutex);
    free->nodes.push_back(node);
  });
}

template <class Address>
Fib<Address>::Fib(FibNodes& nodes)
    : nodes_(nodes), root_(new Entry[1u << 16]{}), root_lengths_(new std::uint8_t[1u << 16]{}) {}

template <class Address>
Fib<Address>::~Fib() {
  for (std::uint32_t i = 0; i < 1u << 16; ++i) drop_nodes(root_[i].load(std::memory_order_relaxed));
}

template <class Address>
void Fib<Address>::drop_nodes(std::uint32_t value) {
  if (is_leaf(value)) return;
  const std::uint32_t node = FibNodes::number(value);
  for (std::uint32_t i = 0; i < FibNodes::kFanout; ++i) {
    drop_nodes(nodes_.entries(node)[i].load(std::memory_order_relaxed));
  }
  nodes_.give(node);
}

template <class Address>
typename Fib<Address>::Slot Fib<Address>::root_slot(const Address& address) const {
  const std::uint32_t top = std::uint32_t{address.bytes[0]} << 8 | address.bytes[1];
  return {&root_[top], &root_lengths_[top], 1};
}

template <class Address>
typename Fib<Address>::Slot Fib<Address>::slot_in(std::uint32_t node, unsigned position, const Address& address) const {
  const std::uint8_t byte = address.bytes[position];
  return {nodes_.entries(node) + byte, nodes_.lengths(node) + byte, position};
}

template <class Address>
typename Fib<Address>::Span Fib<Address>::span_in(std::uint32_t node, const Prefix<Address>& prefix) const {
  const unsigned position = position_of(prefix.length);
  return {nodes_.entries(node), nodes_.lengths(node), prefix.address.bytes[position],
          1u << (8 * position + 8 - prefix.length)};
}

// A node whose entries all are leaf, not yet in the trie.
template <class Address>
std::uint32_t Fib<Address>::make_node(const Address& address, unsigned position, Leaf leaf) {
  const std::uint32_t node = nodes_.take();
  for (std::uint32_t i = 0; i < FibNodes::kFanout; ++i) {
    nodes_.entries(node)[i].store(leaf.value, std::memory_order_relaxed);
    nodes_.lengths(node)[i] = leaf.length;
  }
  FibNodes::Header& header = nodes_.header(node);
  header.bytes.fill(0);
  std::memcpy(header.bytes.data(), address.bytes.data(), position);
  header.miss.store(leaf.value, std::memory_order_relaxed);
  header.miss_length = leaf.length;
  return node;
}

// What comes before is visible to who follows the reference.
template <class Address>
void Fib<Address>::point(Slot slot, std::uint32_t node, unsigned position) {
  const std::uint32_t skip = position > slot.position + 1 ? FibNodes::kSkipBit : 0;
  slot.entry->store(FibNodes::kNodeBit | skip | position << 20 | node, std::memory_order_release);
}

// Puts a node at position between a slot and the node there, whose position is behind it.
template <class Address>
std::uint32_t Fib<Address>::insert_above(Slot slot, const Address& address, unsigned position) {
  const std::uint32_t below = slot.entry->load(std::memory_order_relaxed);
  const FibNodes::Header& header = nodes_.header(FibNodes::number(below));
  const std::uint32_t node =
      make_node(address, position, {header.miss.load(std::memory_order_relaxed), header.miss_length});
  const std::uint8_t byte = header.bytes[position];
  point({nodes_.entries(node) + byte, nodes_.lengths(node) + byte, position}, FibNodes::number(below),
        FibNodes::position(below));
  point(slot, node, position);
  return node;
}

template <class Address>
typename Fib<Address>::Span Fib<Address>::span(const Prefix<Address>& prefix) {
  Slot slot = root_slot(prefix.address);
  if (prefix.length <= kRootBits) {
    const auto top = static_cast<std::uint32_t>(slot.entry - root_.get());
    return {root_.get(), root_lengths_.get(), top, 1u << (kRootBits - prefix.length)};
  }
  const unsigned wanted = position_of(prefix.length);
  for (;;) {
    const std::uint32_t value = slot.entry->load(std::memory_order_relaxed);
    if (is_leaf(value)) {
      const std::uint32_t node = make_node(prefix.address, wanted, {value, *slot.length});
      point(slot, node, wanted);
      return span_in(node, prefix);
    }
    std::uint32_t node = FibNodes::number(value);
    unsigned position = FibNodes::position(value);
    const auto& bytes = nodes_.header(node).bytes;
    const auto common = static_cast<unsigned>(
        std::mismatch(bytes.begin(), bytes.begin() + std::min(position, wanted), prefix.address.bytes.begin()).first -
        bytes.begin());
    if (common < position) {
      node = insert_above(slot, prefix.address, common);
      position = common;
    }
    if (position == wanted) return span_in(node, prefix);
    slot = slot_in(node, position, prefix.address);
  }
}

// Gives leaf to every entry in the span, and in nodes below it, whose prefix's length lies in [from, to]. A node's miss
// is what its slot would be without it.
template <class Address>
void Fib<Address>::paint(const Span& where, std::uint8_t from_length, std::uint8_t to_length, Leaf leaf) {
  for (std::uint32_t i = where.first; i < where.first + where.count; ++i) {
    const std::uint32_t value = where.entries[i].load(std::memory_order_relaxed);
    if (!is_leaf(value)) {
      const std::uint32_t node = FibNodes::number(value);
      FibNodes::Header& header = nodes_.header(node);
      if (header.miss_length >= from_length && header.miss_length <= to_length) {
        header.miss_length = leaf.length;
        header.miss.store(leaf.value, std::memory_order_release);
      }
      paint({nodes_.entries(node), nodes_.lengths(node), 0, FibNodes::kFanout}, from_length, to_length, leaf);
    } else if (where.lengths[i] >= from_length && where.lengths[i] <= to_length) {
      where.lengths[i] = leaf.length;
      where.entries[i].store(leaf.value, std::memory_order_release);
    }
  }
}

template <class Address>
Status Fib<Address>::set(const Prefix<Address>& prefix, ForwardingIndex target) {
  // One for its entries, one where its path leaves another's.
  constexpr std::uint32_t kNodesMax = 2;
  if (prefix.length > kRootBits && !prefixes_.contains(prefix) && nodes_.available() < kNodesMax) {
    return exhausted("no room for prefix {}: all {} FIB nodes are taken; delete other routes first", prefix.to_string(),
                     FibNodes::kCapacity);
  }
  prefixes_[prefix] = target;
  paint(span(prefix), 0, prefix.length, {target.value, prefix.length});
  return {};
}

template <class Address>
typename Fib<Address>::Leaf Fib<Address>::covering(const Prefix<Address>& prefix) const {
  for (int length = prefix.length - 1; length >= 0; --length) {
    const auto it = prefixes_.find(Prefix<Address>::of(prefix.address, static_cast<std::uint8_t>(length)));
    if (it != prefixes_.end()) return {it->second.value, static_cast<std::uint8_t>(length)};
  }
  return {0, 0};
}

template <class Address>
bool Fib<Address>::remove(const Prefix<Address>& prefix) {
  if (prefixes_.erase(prefix) == 0) return false;
  // Its node is there, because it has an entry or a miss of this prefix, or a longer prefix that hides it.
  paint(span(prefix), prefix.length, prefix.length, covering(prefix));
  collapse(prefix);
  return true;
}

// Takes away what is not needed any more, from the prefix's node upwards.
template <class Address>
void Fib<Address>::collapse(const Prefix<Address>& prefix) {
  if (prefix.length <= kRootBits) return;
  std::array<Slot, Address::kBits / 8> path;
  unsigned depth = 0;
  Slot slot = root_slot(prefix.address);
  for (;;) {
    path[depth++] = slot;
    const std::uint32_t value = slot.entry->load(std::memory_order_relaxed);
    if (FibNodes::position(value) == position_of(prefix.length)) break;
    slot = slot_in(FibNodes::number(value), FibNodes::position(value), prefix.address);
  }
  while (depth > 0 && collapse(path[--depth])) {
  }
}

// Takes the node at slot away when no prefix ends in it and at most one node is below. True when a leaf stands there
// then, so that the node above may not be needed either.
template <class Address>
bool Fib<Address>::collapse(Slot slot) {
  const std::uint32_t value = slot.entry->load(std::memory_order_relaxed);
  const std::uint32_t node = FibNodes::number(value);
  const unsigned outside = 8 * FibNodes::position(value);  // prefixes up to this length come from above
  std::uint32_t below = 0;
  for (std::uint32_t i = 0; i < FibNodes::kFanout; ++i) {
    const std::uint32_t entry = nodes_.entries(node)[i].load(std::memory_order_relaxed);
    const bool leaf = is_leaf(entry);
    const std::uint8_t length = leaf ? nodes_.lengths(node)[i] : nodes_.header(FibNodes::number(entry)).miss_length;
    if (length > outside || (!leaf && below != 0)) return false;
    if (!leaf) below = entry;
  }
  if (below != 0) {
    point(slot, FibNodes::number(below), FibNodes::position(below));
  } else {
    const FibNodes::Header& header = nodes_.header(node);
    *slot.length = header.miss_length;
    slot.entry->store(header.miss.load(std::memory_order_relaxed), std::memory_order_release);
  }
  nodes_.give(node);
  return below == 0;
}

template class Fib<Ip4Address>;
template class Fib<Ip6Address>;

}  // namespace sluice
