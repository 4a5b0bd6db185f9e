// SPDX-License-Identifier: Apache-2.0
#include "sluice/fib.h"

#include <algorithm>
#include <cstddef>

#include "ip/fib_editor.h"
#include "ip/fib_prefixes.h"
#include "ip/fib_runs.h"

namespace sluice {
namespace {

// The byte that chooses the entries of a prefix behind the root.
unsigned position_of(std::uint8_t length) { return (length - 1u) / 8; }

}  // namespace

template <class Address>
FibEditor<Address> Fib<Address>::edit() const {
  return FibEditor<Address>(nodes_);
}

template <class Address>
Fib<Address>::Fib(FibNodes& nodes)
    : nodes_(nodes),
      root_(new Entry[kRootEntries]{}),
      root_lengths_(new std::uint8_t[kRootEntries]{}),
      prefixes_(std::make_unique<FibPrefixes<Address>>()) {}

template <class Address>
Fib<Address>::~Fib() {
  for (std::uint32_t i = 0; i < kRootEntries; ++i) drop_nodes(root_[i].load(std::memory_order_relaxed));
}

template <class Address>
void Fib<Address>::drop_nodes(std::uint32_t value) {
  if (is_leaf(value)) return;
  if (FibNodes::has_runs(value)) {
    edit().each_run(value, [&](unsigned, unsigned, const Entry& entry, std::uint8_t) {
      drop_nodes(entry.load(std::memory_order_relaxed));
    });
  } else {
    for (std::uint32_t i = 0; i < FibNodes::kFanout; ++i) {
      drop_nodes(nodes_.words(value)[i].load(std::memory_order_relaxed));
    }
  }
  edit().give(value);
}

template <class Address>
std::size_t Fib<Address>::size() const {
  return prefixes_->size();
}

template <class Address>
std::size_t Fib<Address>::bytes() const {
  return kRootEntries * (sizeof(Entry) + 1) + prefixes_->bytes();
}

template <class Address>
FibLeaf Fib<Address>::covering(const Address& address, std::uint8_t shorter_than) const {
  const auto [target, length] = prefixes_->covering(address, shorter_than);
  return {target.value, length};
}

template <class Address>
typename Fib<Address>::Span Fib<Address>::span_of(const Prefix<Address>& prefix) {
  if (prefix.length <= kRootBits) {
    return {std::uint32_t{prefix.address.bytes[0]} << 8 | prefix.address.bytes[1], 1u << (kRootBits - prefix.length)};
  }
  const unsigned position = position_of(prefix.length);
  return {prefix.address.bytes[position], 1u << (8 * position + 8 - prefix.length)};
}

template <class Address>
typename Fib<Address>::Slot Fib<Address>::root_slot(const Address& address) const {
  const std::uint32_t top = std::uint32_t{address.bytes[0]} << 8 | address.bytes[1];
  return {&root_[top], &root_lengths_[top], 1};
}

template <class Address>
typename Fib<Address>::Slot Fib<Address>::slot_in(std::uint32_t node, const Address& address) const {
  const std::size_t at = edit().place_of(node, address);
  return {edit().values_in(node) + at, nodes_.lengths(node) + at, FibNodes::position(node)};
}

// Gives the node at slot these runs. Without room they go in place, as what takes something away always can.
template <class Address>
void Fib<Address>::replace(Slot slot, const Address& address, const FibRuns& runs) {
  const std::uint32_t old = slot.reference();
  if (Editor::same_form(old, runs) && edit().put_in_place(old, runs)) return;
  const FibLeaf miss = edit().miss_of(old);
  if (const std::uint32_t node = edit().make(address, miss, runs)) {
    point(slot, address, node, miss);
    edit().give(old);
  } else {
    edit().put_in_place(old, runs);
  }
}

// What comes before is visible to who follows the reference. A full node that is not directly below gets one between
// that knows the bytes which are left out.
template <class Address>
void Fib<Address>::point(Slot slot, const Address& address, std::uint32_t node, FibLeaf miss) {
  const unsigned position = FibNodes::position(node);
  if (!FibNodes::has_runs(node) && position > slot.position + 1) {
    node = edit().make_above(address, position - 1, miss, address.bytes[position - 1], node);
  }
  *slot.length = Editor::kNoLength;
  slot.entry->store(node, std::memory_order_release);
}

// Puts a node at position between a slot and the node there, whose position is behind it.
template <class Address>
std::uint32_t Fib<Address>::insert_above(Slot slot, const Address& address, unsigned position) {
  const std::uint32_t below = slot.reference();
  const auto byte = std::to_integer<std::uint8_t>(nodes_.bytes_of(below)[position]);
  const std::uint32_t node = edit().make_above(address, position, edit().miss_of(below), byte, below);
  slot.entry->store(node, std::memory_order_release);
  return node;
}

// Puts node at the path's last slot, which is a leaf now.
template <class Address>
void Fib<Address>::attach(Path& path, const Address& address, std::uint32_t node) {
  const Slot slot = path.last();
  if (path.depth >= 2) {
    const Slot above = path.slots[path.depth - 2];
    if (FibNodes::has_runs(above.reference())) {
      const FibRuns runs = edit().runs_of(above.reference());
      replace(above, address, runs.changed(address.bytes[slot.position], 1, [&](FibRuns::Run& run) {
        run = {node, run.first, Editor::kNoLength};
      }));
      return;
    }
  }
  *slot.length = Editor::kNoLength;
  slot.entry->store(node, std::memory_order_release);
}

template <class Address>
bool Fib<Address>::reach(Path& path, const Prefix<Address>& prefix, FibLeaf leaf) {
  const unsigned wanted = position_of(prefix.length);
  path.push(root_slot(prefix.address));
  for (;;) {
    const Slot slot = path.last();
    std::uint32_t node = slot.reference();
    if (is_leaf(node)) {
      FibRuns all(wanted);
      all.append(0, node, *slot.length);
      const Span span = span_of(prefix);
      const auto runs =
          all.changed(span.first, span.count, [&](FibRuns::Run& run) { run = {leaf.value, run.first, leaf.length}; });
      attach(path, prefix.address, edit().make(prefix.address, {node, *slot.length}, runs));
      return true;
    }
    if (FibNodes::has_runs(node)) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(nodes_.bytes_of(node));
      const auto* end = bytes + std::min(FibNodes::position(node), wanted);
      const auto common = static_cast<unsigned>(std::mismatch(bytes, end, prefix.address.bytes.begin()).first - bytes);
      if (common < FibNodes::position(node)) node = insert_above(slot, prefix.address, common);
    }
    if (FibNodes::position(node) == wanted) return false;
    path.push(slot_in(node, prefix.address));
  }
}

template <class Address>
void Fib<Address>::paint_entries(Entry* entries, std::uint8_t* of, Span span, Lengths lengths, FibLeaf leaf) {
  for (std::uint32_t i = span.first; i < span.first + span.count; ++i) {
    const std::uint32_t value = entries[i].load(std::memory_order_relaxed);
    if (!is_leaf(value)) {
      paint_below(value, lengths, leaf);
    } else if (lengths.contains(of[i])) {
      of[i] = leaf.length;
      entries[i].store(leaf.value, std::memory_order_release);
    }
  }
}

// Gives leaf to what is in the node, or below it, and comes from a prefix of these lengths. A node's miss is what its
// slot would be without it.
template <class Address>
void Fib<Address>::paint_below(std::uint32_t node, Lengths lengths, FibLeaf leaf) {
  if (!FibNodes::has_runs(node)) {
    paint_entries(nodes_.words(node), nodes_.lengths(node), {0, FibNodes::kFanout}, lengths, leaf);
    return;
  }
  const auto paint_one = [&](Entry& entry, std::uint8_t& length) {
    if (!lengths.contains(length)) return;
    length = leaf.length;
    entry.store(leaf.value, std::memory_order_release);
  };
  paint_one(edit().miss(node), edit().miss_length(node));
  edit().each_run(node, [&](unsigned, unsigned, Entry& entry, std::uint8_t& length) {
    const std::uint32_t value = entry.load(std::memory_order_relaxed);
    if (is_leaf(value)) {
      paint_one(entry, length);
    } else {
      paint_below(value, lengths, leaf);
    }
  });
}

// Gives leaf to the prefix's entries in the node at slot and to what is below them.
template <class Address>
void Fib<Address>::paint(Slot slot, const Prefix<Address>& prefix, Lengths lengths, FibLeaf leaf) {
  const std::uint32_t node = slot.reference();
  const Span span = span_of(prefix);
  if (!FibNodes::has_runs(node)) {
    paint_entries(nodes_.words(node), nodes_.lengths(node), span, lengths, leaf);
    return;
  }
  const FibRuns before = edit().runs_of(node);
  replace(slot, prefix.address, before.changed(span.first, span.count, [&](FibRuns::Run& run) {
    if (!is_leaf(run.value) || !lengths.contains(run.length)) return;
    run = {leaf.value, run.first, leaf.length};
  }));
  for (unsigned i = 0; i < before.size(); ++i) {
    const bool inside = before.end_of(i) > span.first && before[i].first < span.first + span.count;
    if (inside && !is_leaf(before[i].value)) paint_below(before[i].value, lengths, leaf);
  }
}

template <class Address>
Status Fib<Address>::set(const Prefix<Address>& prefix, ForwardingIndex target) {
  using Layout = FibLayout<Address>;
  constexpr std::uint32_t kNodesMax = 4;  // its own, where its path leaves another's, one to a full one, the one above
  const FibLeaf leaf{target.value, prefix.length};
  const Lengths shorter{0, prefix.length};
  if (prefix.length <= kRootBits) {
    prefixes_->put(prefix, target);
    paint_entries(root_.get(), root_lengths_.get(), span_of(prefix), shorter, leaf);
    return {};
  }
  if (!nodes_.has_room(Layout::kSmallUnits, kNodesMax, Layout::kMediumUnits) && !prefixes_->contains(prefix)) {
    return exhausted("no room for prefix {}: all {} MiB of FIB nodes are taken; delete other routes first",
                     prefix.to_string(), nodes_.max_units() * FibNodes::kUnitBytes >> 20);
  }
  prefixes_->put(prefix, target);
  Path path;
  if (!reach(path, prefix, leaf)) paint(path.last(), prefix, shorter, leaf);
  return {};
}

template <class Address>
bool Fib<Address>::remove(const Prefix<Address>& prefix) {
  if (!prefixes_->erase(prefix)) return false;
  const FibLeaf leaf = covering(prefix.address, prefix.length);
  const Lengths own{prefix.length, prefix.length};
  if (prefix.length <= kRootBits) {
    paint_entries(root_.get(), root_lengths_.get(), span_of(prefix), own, leaf);
    return true;
  }
  // Its node is there, because it has an entry or a miss of this prefix, or a longer prefix that hides it.
  Path path;
  reach(path, prefix, leaf);
  paint(path.last(), prefix, own, leaf);
  tidy(path, prefix.address);
  return true;
}

// Takes away what is not needed any more, from the path's last node upwards: nodes in which no prefix ends, with at
// most one below them.
template <class Address>
void Fib<Address>::tidy(Path& path, const Address& address) {
  for (unsigned depth = path.depth; depth-- > 0;) {
    const Slot slot = path.slots[depth];
    const std::uint32_t node = slot.reference();
    if (!FibNodes::has_runs(node)) {
      if (!tidy_full(slot, address)) return;
      continue;
    }
    const unsigned outside = 8 * FibNodes::position(node);  // prefixes up to this length come from above
    unsigned below = 0;
    bool needed = false;
    std::uint32_t child = 0;
    edit().each_run(node, [&](unsigned, unsigned, const Entry& entry, std::uint8_t length) {
      const std::uint32_t value = entry.load(std::memory_order_relaxed);
      if (!is_leaf(value)) {
        child = value;
        needed = needed || ++below > 1 || !FibNodes::has_runs(value);
        if (!needed) length = edit().miss_length(value);
      }
      needed = needed || length > outside;
    });
    if (needed) return;
    if (child) {
      slot.entry->store(child, std::memory_order_release);
      edit().give(node);
      return;
    }
    const FibLeaf miss = edit().miss_of(node);
    *slot.length = miss.length;
    slot.entry->store(miss.value, std::memory_order_release);
    edit().give(node);
    if (depth == 0) return;
    const std::uint32_t above = path.slots[depth - 1].reference();
    if (FibNodes::has_runs(above)) replace(path.slots[depth - 1], address, edit().runs_of(above));
  }
}

// Of a node that is always full, these are the runs.
template <class Address>
bool Fib<Address>::leave_out_full(Slot slot, const FibRuns& runs) {
  const std::uint32_t node = slot.reference();
  const unsigned outside = 8 * FibNodes::position(node);
  std::uint32_t child = 0;
  for (unsigned i = 0; i < runs.size(); ++i) {
    const std::uint32_t value = runs[i].value;
    if (!is_leaf(value) && (child || !FibNodes::has_runs(value))) return false;
    if ((is_leaf(value) ? runs[i].length : edit().miss_length(value)) > outside) return false;
    if (!is_leaf(value)) child = value;
  }
  if (!child) *slot.length = runs[0].length;
  slot.entry->store(child ? child : runs[0].value, std::memory_order_release);
  edit().give(node);
  return true;
}

// Makes a full node a smaller one when it holds little, or leaves it out. Not at once, so that one route that comes and
// goes does not remake it each time.
template <class Address>
bool Fib<Address>::tidy_full(Slot slot, const Address& address) {
  constexpr unsigned kFew = FibLayout<Address>::kMediumRuns * 3 / 4;
  const std::uint32_t node = slot.reference();
  const unsigned position = FibNodes::position(node);
  FibRuns runs(position);
  for (unsigned i = 0; i < FibNodes::kFanout && runs.size() <= kFew; ++i) {
    runs.append(i, nodes_.words(node)[i].load(std::memory_order_relaxed), nodes_.lengths(node)[i]);
  }
  if (runs.size() > kFew) return false;
  if (position == Editor::kFullPosition) return leave_out_full(slot, runs);
  const FibLeaf miss = covering(address, static_cast<std::uint8_t>(8 * position + 1));
  const std::uint32_t smaller = edit().make(address, miss, runs);
  if (smaller == 0) return false;
  slot.entry->store(smaller, std::memory_order_release);
  edit().give(node);
  return true;
}

template class Fib<Ip4Address>;
template class Fib<Ip6Address>;

}  // namespace sluice
