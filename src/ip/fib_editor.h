// SPDX-License-Identifier: Apache-2.0
// How the control thread reads, makes and changes single nodes of a FIB (sluice/fib_nodes.h).
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ip/fib_runs.h"
#include "sluice/fib_nodes.h"

namespace sluice {

/// A forwarding object, and the length of the prefix that says so.
struct FibLeaf {
  std::uint32_t value;
  std::uint8_t length;
};

template <class Address>
class FibEditor {
 public:
  using Layout = FibLayout<Address>;
  using Entry = FibNodes::Entry;
  static constexpr std::uint8_t kNoLength = 0xff;  // of an entry that is a node
  static constexpr unsigned kFullPosition = 2;     // nodes that take this byte are always full

  explicit FibEditor(FibNodes& nodes) : nodes_(nodes) {}

  static constexpr std::uint32_t units_of(std::uint32_t node) {
    if (!FibNodes::has_runs(node)) return FibNodes::kFullUnits;
    return FibNodes::is_medium(node) ? Layout::kMediumUnits : Layout::kSmallUnits;
  }
  Entry* values_in(std::uint32_t node) const {
    if (!FibNodes::has_runs(node)) return nodes_.words(node);
    return FibNodes::word_at(nodes_.bytes_of(node),
                             FibNodes::is_medium(node) ? Layout::kMediumValues : Layout::kSmallValues);
  }
  /// Which of the node's entries and lengths the address meets.
  std::size_t place_of(std::uint32_t node, const Address& address) const {
    if (!FibNodes::has_runs(node)) return address.bytes[FibNodes::position(node)];
    return static_cast<std::size_t>(FibNodes::run_of(node, nodes_.bytes_of(node), address) - values_in(node));
  }
  /// The runs that bytes can be in: see(first, end, entry, length).
  template <class See>
  void each_run(std::uint32_t node, See&& see) const {
    const auto* starts = reinterpret_cast<const std::uint8_t*>(nodes_.bytes_of(node) + Layout::kStarts);
    Entry* values = values_in(node);
    std::uint8_t* lengths = nodes_.lengths(node);
    const unsigned n = runs_in(node);
    for (unsigned i = 0; i < n; ++i) {
      const unsigned first = i == 0 ? 0 : starts[i - 1], end = i + 1 < n ? starts[i] : FibNodes::kFanout;
      if (first < end) see(first, end, values[i], lengths[i]);
    }
  }
  FibRuns runs_of(std::uint32_t node) const {
    FibRuns runs(FibNodes::position(node));
    each_run(node, [&](unsigned first, unsigned, const Entry& entry, std::uint8_t length) {
      runs.append(first, entry.load(std::memory_order_relaxed), length);
    });
    return runs;
  }
  /// What every address that comes to the node's slot would meet without it. A full node need not know: it stands
  /// directly below its slot, so that no address misses it.
  Entry& miss(std::uint32_t node) const { return *FibNodes::word_at(nodes_.bytes_of(node), Layout::kMiss); }
  std::uint8_t& miss_length(std::uint32_t node) const { return nodes_.lengths(node)[units_of(node) * 8 - 1]; }
  FibLeaf miss_of(std::uint32_t node) const { return {miss(node).load(std::memory_order_relaxed), miss_length(node)}; }

  /// Whether a node of these runs has the form of this one.
  static constexpr bool same_form(std::uint32_t node, const FibRuns& runs) {
    return form_for(runs) == (node & kFormBits);
  }
  /// A node that is not yet in the trie; 0 when there is no room.
  std::uint32_t make(const Address& address, FibLeaf without, const FibRuns& runs) {
    const std::uint32_t form = form_for(runs);
    const std::uint32_t first = nodes_.take(units_of(form));
    if (first == FibNodes::kNone) return 0;
    const std::uint32_t node = form | runs.position() << 25 | first;
    if (FibNodes::has_runs(node)) {
      fill(node, address, without, runs);
    } else {
      fill_full(node, runs);
    }
    return node;
  }
  /// A node at position in which only this byte leads on, to a node.
  std::uint32_t make_above(const Address& address, unsigned position, FibLeaf without, std::uint8_t byte,
                           std::uint32_t node) {
    FibRuns all(position);
    all.append(0, without.value, without.length);
    return make(address, without, all.changed(byte, 1, [&](FibRuns::Run& run) { run = {node, run.first, kNoLength}; }));
  }
  void give(std::uint32_t node) { nodes_.give(FibNodes::number(node), units_of(node)); }

  /// Where every run of the node lies in one of these. Readers of an address see what was there or what is to be.
  bool put_in_place(std::uint32_t node, const FibRuns& runs) {
    unsigned at = 0;
    bool fits = true;
    each_run(node, [&](unsigned first, unsigned end, const Entry&, std::uint8_t) {
      while (runs.end_of(at) <= first) ++at;
      fits = fits && runs.end_of(at) >= end;
    });
    if (!fits) return false;
    at = 0;
    each_run(node, [&](unsigned first, unsigned, Entry& entry, std::uint8_t& length) {
      while (runs.end_of(at) <= first) ++at;
      length = runs[at].length;
      if (entry.load(std::memory_order_relaxed) != runs[at].value) {
        entry.store(runs[at].value, std::memory_order_release);
      }
    });
    return true;
  }

 private:
  static constexpr std::uint32_t kFormBits = FibNodes::kNodeBit | FibNodes::kRunsBit | FibNodes::kMediumBit;
  static constexpr unsigned runs_in(std::uint32_t node) {
    return FibNodes::is_medium(node) ? Layout::kMediumRuns : Layout::kSmallRuns;
  }
  // The smallest that has room; directly below the root the fastest.
  static constexpr std::uint32_t form_for(const FibRuns& runs) {
    if (runs.position() == kFullPosition) return FibNodes::kNodeBit;
    if (runs.size() <= Layout::kSmallRuns) return FibNodes::kNodeBit | FibNodes::kRunsBit;
    if (runs.size() <= Layout::kMediumRuns) return FibNodes::kNodeBit | FibNodes::kRunsBit | FibNodes::kMediumBit;
    return FibNodes::kNodeBit;
  }

  void fill(std::uint32_t node, const Address& address, FibLeaf without, const FibRuns& runs) {
    std::byte* bytes = nodes_.bytes_of(node);
    std::memset(bytes, 0, sizeof(Address));
    std::memcpy(bytes, address.bytes.data(), FibNodes::position(node));
    miss(node).store(without.value, std::memory_order_relaxed);
    miss_length(node) = without.length;
    auto* starts = reinterpret_cast<std::uint8_t*>(bytes + Layout::kStarts);
    for (unsigned i = 0; i < runs_in(node); ++i) {
      const bool real = i < runs.size();
      const FibRuns::Run& run = runs[real ? i : runs.size() - 1];
      if (i > 0) starts[i - 1] = static_cast<std::uint8_t>(real ? run.first : FibNodes::kFanout - 1);
      values_in(node)[i].store(run.value, std::memory_order_relaxed);
      nodes_.lengths(node)[i] = run.length;
    }
  }
  void fill_full(std::uint32_t node, const FibRuns& runs) {
    for (unsigned i = 0; i < runs.size(); ++i) {
      for (unsigned at = runs[i].first; at < runs.end_of(i); ++at) {
        nodes_.words(node)[at].store(runs[i].value, std::memory_order_relaxed);
        nodes_.lengths(node)[at] = runs[i].length;
      }
    }
  }

  FibNodes& nodes_;
};

}  // namespace sluice
