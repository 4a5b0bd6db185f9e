// SPDX-License-Identifier: Apache-2.0
#include "sluice/fib.h"

#include <sys/mman.h>

#include <new>

namespace sluice {

struct FibNodes::FreeList {
  std::mutex mutex;
  std::vector<std::uint32_t> nodes;
};

namespace {

constexpr std::size_t kEntryBytes = std::size_t{FibNodes::kCapacity} * FibNodes::kFanout * sizeof(FibNodes::Entry);
constexpr std::size_t kLengthBytes = std::size_t{FibNodes::kCapacity} * FibNodes::kFanout;

void* reserve(std::size_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  return at;
}

}  // namespace

FibNodes::FibNodes(Rcu& rcu)
    : rcu_(rcu),
      entries_(static_cast<Entry*>(reserve(kEntryBytes))),
      lengths_(static_cast<std::uint8_t*>(reserve(kLengthBytes))),
      free_(std::make_shared<FreeList>()) {}

FibNodes::~FibNodes() {
  munmap(entries_, kEntryBytes);
  munmap(lengths_, kLengthBytes);
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
  const std::uint32_t node = value & ~FibNodes::kNodeBit;
  for (std::uint32_t i = 0; i < FibNodes::kFanout; ++i) {
    drop_nodes(nodes_.entries(node)[i].load(std::memory_order_relaxed));
  }
  nodes_.give(node);
}

// How many nodes have to be made before the prefix has entries of its own.
template <class Address>
unsigned Fib<Address>::nodes_needed(const Prefix<Address>& prefix) const {
  if (prefix.length <= 16) return 0;
  const unsigned levels = (prefix.length - 17u) / 8 + 1;
  std::uint32_t value = first(prefix.address)->load(std::memory_order_relaxed);
  unsigned level = 0;
  for (; level < levels && !is_leaf(value); ++level) {
    value = next(value, prefix.address, level)->load(std::memory_order_relaxed);
  }
  return levels - level;
}

template <class Address>
typename Fib<Address>::Span Fib<Address>::span(const Prefix<Address>& prefix, bool make) {
  const std::uint32_t top = std::uint32_t{prefix.address.bytes[0]} << 8 | prefix.address.bytes[1];
  if (prefix.length <= 16) return {root_.get(), root_lengths_.get(), top, 1u << (16 - prefix.length)};
  Span at{root_.get(), root_lengths_.get(), top, 1};
  for (unsigned level = 0;; ++level) {
    std::uint32_t value = at.entries[at.first].load(std::memory_order_relaxed);
    if (is_leaf(value)) {
      if (!make) return {nullptr, nullptr, 0, 0};
      const std::uint32_t node = nodes_.take();
      for (std::uint32_t i = 0; i < FibNodes::kFanout; ++i) {
        nodes_.entries(node)[i].store(value, std::memory_order_relaxed);
        nodes_.lengths(node)[i] = at.lengths[at.first];
      }
      value = node | FibNodes::kNodeBit;
      at.entries[at.first].store(value, std::memory_order_release);
    }
    const std::uint32_t node = value & ~FibNodes::kNodeBit;
    at = {nodes_.entries(node), nodes_.lengths(node), prefix.address.bytes[level + 2], 1};
    const unsigned bits = 24 + level * 8;
    if (prefix.length <= bits) {
      at.count = 1u << (bits - prefix.length);
      return at;
    }
  }
}

// Gives leaf to every entry in the span, and in nodes below it, whose prefix's length lies in [from, to].
template <class Address>
void Fib<Address>::paint(const Span& where, std::uint8_t from_length, std::uint8_t to_length, Leaf leaf) {
  for (std::uint32_t i = where.first; i < where.first + where.count; ++i) {
    const std::uint32_t value = where.entries[i].load(std::memory_order_relaxed);
    if (!is_leaf(value)) {
      const std::uint32_t node = value & ~FibNodes::kNodeBit;
      paint({nodes_.entries(node), nodes_.lengths(node), 0, FibNodes::kFanout}, from_length, to_length, leaf);
    } else if (where.lengths[i] >= from_length && where.lengths[i] <= to_length) {
      where.lengths[i] = leaf.length;
      where.entries[i].store(leaf.value, std::memory_order_release);
    }
  }
}

template <class Address>
Status Fib<Address>::set(const Prefix<Address>& prefix, ForwardingIndex target) {
  if (nodes_needed(prefix) > nodes_.available()) {
    return exhausted("no room for prefix {}: all {} FIB nodes are taken", prefix.to_string(), FibNodes::kCapacity);
  }
  prefixes_[prefix] = target;
  paint(span(prefix, true), 0, prefix.length, {target.value, prefix.length});
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
  const Span where = span(prefix, false);
  if (where.entries) paint(where, prefix.length, prefix.length, covering(prefix));
  collapse(prefix);
  return true;
}

// Takes nodes away whose entries all come from outside, from the lowest on the prefix's path upwards.
template <class Address>
void Fib<Address>::collapse(const Prefix<Address>& prefix) {
  std::array<std::pair<Entry*, std::uint8_t*>, kBytes> path;
  unsigned depth = 0;
  const std::uint32_t top = std::uint32_t{prefix.address.bytes[0]} << 8 | prefix.address.bytes[1];
  path[depth++] = {&root_[top], &root_lengths_[top]};
  while (depth < kLevels) {
    const std::uint32_t value = path[depth - 1].first->load(std::memory_order_relaxed);
    if (is_leaf(value)) break;
    const std::uint32_t node = value & ~FibNodes::kNodeBit;
    const std::uint8_t slot = prefix.address.bytes[depth + 1];
    path[depth] = {nodes_.entries(node) + slot, nodes_.lengths(node) + slot};
    ++depth;
  }
  while (depth-- > 0) {
    const std::uint32_t value = path[depth].first->load(std::memory_order_relaxed);
    if (is_leaf(value)) continue;
    const std::uint32_t node = value & ~FibNodes::kNodeBit;
    const unsigned bits_above = 16 + depth * 8;
    const std::uint32_t leaf = nodes_.entries(node)[0].load(std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < FibNodes::kFanout; ++i) {
      if (nodes_.entries(node)[i].load(std::memory_order_relaxed) != leaf) return;
      if (nodes_.lengths(node)[i] > bits_above) return;
    }
    if (!is_leaf(leaf)) return;
    *path[depth].second = nodes_.lengths(node)[0];
    path[depth].first->store(leaf, std::memory_order_release);
    nodes_.give(node);
  }
}

template class Fib<Ip4Address>;
template class Fib<Ip6Address>;

}  // namespace sluice
