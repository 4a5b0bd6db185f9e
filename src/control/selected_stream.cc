// SPDX-License-Identifier: Apache-2.0
#include "control/selected_stream.h"

#include <algorithm>

namespace sluice::control {

using google::protobuf::Message;

namespace {

/// Rows that are left out at a stretch before others on the control thread have their turn.
constexpr int kSkipped = 64;

}  // namespace

AnyStream::Step SelectedStream::next() {
  for (int i = 0; i < kSkipped; ++i) {
    if (sorted_ && sent_ < best_.size()) {
      ++sent_;
      return Step::Value;
    }
    if (sorted_ || is_enough()) return Step::End;
    const auto step = rows_->next();
    if (step == Step::End) {
      if (!has_sorted()) return Step::End;
      continue;
    }
    if (step != Step::Value) return step;
    if (!selection_.wants(rows_->value())) continue;
    if (holds()) {
      keep(rows_->value());
      continue;
    }
    ++sent_;
    return Step::Value;
  }
  return Step::Pause;
}

/// After the last row: whether there are rows that it was waited for.
bool SelectedStream::has_sorted() {
  status_ = rows_->status();
  if (!holds() || !status_.ok()) return false;
  std::sort(best_.begin(), best_.end(), [this](const Row& a, const Row& b) { return selection_.before(a.key, b.key); });
  return sorted_ = true;
}

void SelectedStream::keep(const Message& row) {
  const auto before = [this](const Row& a, const Row& b) { return selection_.before(a.key, b.key); };
  auto key = selection_.key(row, seen_++);
  const bool full = best_.size() == selection_.top();
  if (full && !selection_.before(key, best_.front().key)) return;
  if (full) {
    std::pop_heap(best_.begin(), best_.end(), before);
    best_.pop_back();
  }
  std::unique_ptr<Message> copy(row.New());
  copy->CopyFrom(row);
  best_.push_back({std::move(key), std::move(copy)});
  std::push_heap(best_.begin(), best_.end(), before);
}

const Message& SelectedStream::value() const { return sorted_ ? *best_[sent_ - 1].message : rows_->value(); }

}  // namespace sluice::control
