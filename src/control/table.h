// SPDX-License-Identifier: Apache-2.0
// Replies as rows: chosen, sorted and cut by the list verbs, numbers to the right, within a width.
//
// What does not fit is made to fit in this order. Texts become narrower, the widest first: to 8 columns, the first
// column (the row's name) to 20, a text in the last column to 16. If that is not enough, columns are left out, from the
// last to the second, totals that have their rate beside them before all others; a line under the table names them.
// Then texts have what is free: a name keeps its begin and its end, a text in the last column goes on in the next line,
// others are cut.
#pragma once
#include "control/rates.h"
#include "control/selection.h"
#include "control/view.h"

namespace sluice::control {

class TableView final : public View {
 public:
  struct Options {
    std::size_t width = 0;         // columns at most; 0: as wide as it gets
    std::string empty = {};        // said when there are no rows
    const Rates* rates = nullptr;  // beside each counter its rate
  };

  static StatusOr<std::unique_ptr<TableView>> make(const google::protobuf::Descriptor& row, const ListVerbs& verbs,
                                                   Options options, Write write);
  void add(const google::protobuf::Message& message) override;
  void finish() override;

 private:
  struct Column {
    const google::protobuf::FieldDescriptor* field;
    std::string title;
    bool right;  // numbers
    std::size_t width;
    bool rate = false;
    bool left_out = false;
  };
  struct Row {
    std::vector<std::string> cells;
    SortKey key;
  };

  TableView(Selection selection, Options options, Write write);
  void choose(const google::protobuf::Descriptor& row);
  void add_column(const google::protobuf::FieldDescriptor& field);
  std::string cell(const google::protobuf::Message& message, const Column& column) const;
  void flush();
  void fit();
  std::size_t total(bool narrowest) const;
  std::size_t narrowest(const Column& column) const;
  Column* least_important();
  const Column& last() const;
  void write_row(const std::vector<std::string>& cells);
  void write_line(const std::vector<std::string>& cells, std::string_view last);
  void name_what_is_left_out();

  Selection selection_;
  Options options_;
  Write write_;
  std::vector<Column> columns_;
  std::vector<Row> rows_;
  bool any_ = false;
  bool headed_ = false;
  std::size_t written_ = 0;
};

}  // namespace sluice::control
