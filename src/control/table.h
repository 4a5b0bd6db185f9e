// SPDX-License-Identifier: Apache-2.0
// Replies as rows: chosen, sorted and cut by the list verbs, numbers to the right, within a width.
#pragma once
#include "control/selection.h"
#include "control/view.h"

namespace sluice::control {

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
    SortKey key;
  };

  TableView(Selection selection, std::size_t width, std::string empty, Write write);
  void choose(const google::protobuf::Descriptor& row);
  void add_column(const google::protobuf::FieldDescriptor& field);
  void flush();
  void fit();
  void write_row(const std::vector<std::string>& cells);

  Selection selection_;
  std::size_t width_;
  std::string empty_;
  Write write_;
  std::vector<Column> columns_;
  std::vector<Row> rows_;
  bool any_ = false;
  bool headed_ = false;
  std::size_t written_ = 0;
};

}  // namespace sluice::control
