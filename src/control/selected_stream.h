// SPDX-License-Identifier: Apache-2.0
// The list verbs on the daemon's side: rows that nobody asked for are not sent.
#pragma once
#include <memory>

#include "control/selection.h"
#include "sluice/api.h"

namespace sluice::control {

/// Metadata of a call with serialized ListVerbs. A daemon that does not know it sends all rows, so clients select, too.
inline constexpr const char* kListVerbsKey = "sluice-list-bin";
/// Longer verbs are not sent: metadata has a limit.
inline constexpr std::size_t kListVerbsMax = 4096;

/// `match` and `top` applied to a stream of rows, and `sort` where `top` says that at most kSortedRows are wanted:
/// those are held until the last row is known. Other sorted lists are sent as they come, and the client sorts.
class SLUICE_API SelectedStream final : public AnyStream {
 public:
  static constexpr std::size_t kSortedRows = 1000;

  SelectedStream(std::unique_ptr<AnyStream> rows, Selection selection)
      : rows_(std::move(rows)), selection_(std::move(selection)) {}
  Step next() override;
  const google::protobuf::Message& value() const override;
  std::chrono::milliseconds wait() const override { return rows_->wait(); }
  const Status& status() const override { return status_; }

 private:
  struct Row {
    SortKey key;
    std::unique_ptr<google::protobuf::Message> message;
  };
  bool holds() const { return selection_.sorts() && selection_.top() <= kSortedRows; }
  bool is_enough() const { return !selection_.sorts() && sent_ == selection_.top(); }
  void keep(const google::protobuf::Message& row);
  bool has_sorted();

  std::unique_ptr<AnyStream> rows_;
  Selection selection_;
  std::vector<Row> best_;  // a heap with the worst on top; in their order when no more rows come
  bool sorted_ = false;    // no more rows come
  std::size_t seen_ = 0;
  std::size_t sent_ = 0;
  Status status_;
};

}  // namespace sluice::control
