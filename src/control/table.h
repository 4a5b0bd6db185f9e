// SPDX-License-Identifier: Apache-2.0
// Replies as rows: chosen, sorted and cut by the list verbs, numbers to the right, within a width.
#pragma once
#include "control/view.h"

namespace sluice::control {

/// True when `pattern` occurs in `text`; * stands for anything, upper and lower case are the same.
SLUICE_API bool matches(std::string_view pattern, std::string_view text);

/// True when the pattern is the text: * stands for anything, upper and lower case are the same.
SLUICE_API bool is_like(std::string_view pattern, std::string_view text);

class TableView final : public View {
 public:
  static StatusOr<std::unique_ptr<TableView>> make(const google::protobuf::Descriptor& row, const ListVerbs& verbs,
                                                   std::size_t width, std::string empty, Write write);
  void add(const google::protobuf::Message& message) override;
  void finish() override;

 private:
  struct Column {
    const google::protobuf::FieldDescriptor* field;
    std::string title;
    bool right;  // numbers
    std::size_t width;
  };
  struct Row {
    std::vector<std::string> cells;
    std::string key;  // what it is sorted by
    double number;
    std::size_t order;  // rows that are equal stay as they came
  };

  TableView(const ListVerbs& verbs, std::size_t width, std::string empty, Write write);
  Status choose(const google::protobuf::Descriptor& row);
  void add_column(const google::protobuf::FieldDescriptor& field);
  void flush();
  void fit();
  void write_row(const std::vector<std::string>& cells);

  ListVerbs verbs_;
  std::size_t width_;
  std::string empty_;
  Write write_;
  std::vector<Column> columns_;
  const google::protobuf::FieldDescriptor* sort_ = nullptr;
  bool descending_ = false;
  std::vector<Row> rows_;
  bool any_ = false;
  bool headed_ = false;
  std::size_t written_ = 0;
};

}  // namespace sluice::control
