// SPDX-License-Identifier: Apache-2.0
// What a node of a FIB holds, as runs of byte values that lead to the same, in order: in this form it is changed.
#pragma once
#include <array>
#include <cstdint>

#include "sluice/fib_nodes.h"

namespace sluice {

class FibRuns {
 public:
  struct Run {
    std::uint32_t value;
    std::uint16_t first;
    std::uint8_t length;  ///< of the prefix that a leaf comes from
  };
  /// Of a node at this position.
  explicit FibRuns(unsigned position) : outside_(8 * position) {}

  unsigned position() const { return outside_ / 8; }
  unsigned size() const { return size_; }
  const Run& operator[](unsigned i) const { return runs_[i]; }
  unsigned end_of(unsigned i) const { return i + 1 < size_ ? runs_[i + 1].first : FibNodes::kFanout; }

  /// In order. Two prefixes never share a run, so that each can be changed and taken away where it is.
  void append(unsigned first, std::uint32_t value, std::uint8_t length) {
    if (size_ > 0 && runs_[size_ - 1].value == value && runs_[size_ - 1].length == length &&
        prefix_at(runs_[size_ - 1].first, length) == prefix_at(first, length)) {
      return;
    }
    runs_[size_++] = {value, static_cast<std::uint16_t>(first), length};
  }
  /// These, with change(run) for what lies in [first, first + count), where other runs may begin and end by it.
  template <class Change>
  FibRuns changed(unsigned first, unsigned count, Change&& change) const {
    FibRuns out(position());
    for (unsigned i = 0; i < size_; ++i) {
      const unsigned begin = runs_[i].first, end = end_of(i);
      const unsigned from = std::max(begin, first), to = std::min(end, first + count);
      const Run& run = runs_[i];
      if (from >= to) {
        out.append(begin, run.value, run.length);
        continue;
      }
      if (begin < from) out.append(begin, run.value, run.length);
      Run inside = run;
      change(inside);
      out.append(from, inside.value, inside.length);
      if (to < end) out.append(to, run.value, run.length);
    }
    return out;
  }

 private:
  unsigned prefix_at(unsigned byte, std::uint8_t length) const {
    return length <= outside_ || length > outside_ + 8 ? 0 : byte >> (outside_ + 8 - length);
  }

  const unsigned outside_;  // prefixes up to this length come from above
  unsigned size_ = 0;
  std::array<Run, FibNodes::kFanout> runs_;
};

}  // namespace sluice
