// SPDX-License-Identifier: Apache-2.0
// The list verbs: which rows of a list are shown, in which order, how many of them, and which columns.
#pragma once
#include <google/protobuf/message.h>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "control/control.pb.h"
#include "sluice/status.h"
#include "sluice/types.h"

namespace sluice::control {

/// True when `pattern` occurs in `text`; * stands for anything, upper and lower case are the same.
SLUICE_API bool matches(std::string_view pattern, std::string_view text);
/// True when the pattern is the text: * stands for anything, upper and lower case are the same.
SLUICE_API bool is_like(std::string_view pattern, std::string_view text);
/// Whether a field is a number, so that it is compared as one and stands to the right.
bool is_number(const google::protobuf::FieldDescriptor& field);
/// What stands above a field's column.
std::string title_of(const google::protobuf::FieldDescriptor& field);
/// By its name or its title; null when there is none.
const google::protobuf::FieldDescriptor* find_column(const google::protobuf::Descriptor& row, std::string_view word);

struct SortKey {
  std::string text;
  double number = 0;
  std::size_t order = 0;  // rows that are equal stay as they came
};

class SLUICE_API Selection {
 public:
  /// Refuses verbs that name unknown columns.
  static StatusOr<Selection> make(const google::protobuf::Descriptor& row, const ListVerbs& verbs);

  bool wants(const google::protobuf::Message& row) const;
  bool sorts() const { return sort_ != nullptr; }
  SortKey key(const google::protobuf::Message& row, std::size_t order) const;
  bool before(const SortKey& a, const SortKey& b) const;
  std::size_t top() const { return verbs_.top() ? verbs_.top() : std::numeric_limits<std::size_t>::max(); }
  /// In the order that was asked for; empty when nothing was.
  const std::vector<const google::protobuf::FieldDescriptor*>& columns() const { return columns_; }

 private:
  explicit Selection(const ListVerbs& verbs) : verbs_(verbs) {}
  ListVerbs verbs_;
  std::vector<const google::protobuf::FieldDescriptor*> columns_;
  const google::protobuf::FieldDescriptor* sort_ = nullptr;
  bool descending_ = false;
};

}  // namespace sluice::control
