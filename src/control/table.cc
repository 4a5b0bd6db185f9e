// SPDX-License-Identifier: Apache-2.0
#include "control/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/values.h"

namespace sluice::control {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace {

constexpr std::size_t kRowsHeld = 2000;
constexpr std::size_t kNarrowest = 8;  // a text column is not cut below this

/// Columns that a text takes on a terminal; every UTF-8 lead byte counts as one.
std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

/// Cut to a width, with … for what is missing.
std::string cut(const std::string& text, std::size_t width) {
  if (columns_of(text) <= width) return text;
  std::size_t at = 0;
  for (std::size_t columns = 0; at < text.size(); ++at) {
    if ((text[at] & 0xc0) != 0x80 && ++columns == width) break;
  }
  return text.substr(0, at) + "…";
}

}  // namespace

TableView::TableView(Selection selection, std::size_t width, std::string empty, Write write)
    : selection_(std::move(selection)), width_(width), empty_(std::move(empty)), write_(std::move(write)) {}

StatusOr<std::unique_ptr<TableView>> TableView::make(const Descriptor& row, const ListVerbs& verbs, std::size_t width,
                                                     std::string empty, Write write) {
  auto selection = Selection::make(row, verbs);
  if (!selection.ok()) return selection.status();
  std::unique_ptr<TableView> table(new TableView(*std::move(selection), width, std::move(empty), std::move(write)));
  table->choose(row);
  return table;
}

void TableView::add_column(const FieldDescriptor& field) {
  auto title = title_of(field);
  const auto width = columns_of(title);
  columns_.push_back({&field, std::move(title), is_number(field), width});
}

void TableView::choose(const Descriptor& row) {
  const auto& options = row.options().GetExtension(view);
  for (const auto* field : selection_.columns()) add_column(*field);
  for (int i = 0; selection_.columns().empty() && i < options.column_size(); ++i) {
    if (const auto* field = find_column(row, options.column(i))) add_column(*field);
  }
  const bool all = columns_.empty();
  for (int i = 0; all && i < row.field_count(); ++i) {
    if (!rules(*row.field(i)).wide()) add_column(*row.field(i));
  }
}

void TableView::add(const Message& message) {
  if (!selection_.wants(message)) return;
  any_ = true;
  Row row{.cells = {}, .key = selection_.key(message, rows_.size())};
  for (const auto& column : columns_) row.cells.push_back(field_text(message, *column.field, false));
  rows_.push_back(std::move(row));
  if (!selection_.sorts() && rows_.size() >= kRowsHeld) flush();
}

void TableView::fit() {
  std::size_t total = 2 * (columns_.size() - 1);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    for (const auto& row : rows_) columns_[i].width = std::max(columns_[i].width, columns_of(row.cells[i]));
    total += columns_[i].width;
  }
  while (width_ && total > width_) {
    Column* widest = nullptr;
    for (auto& column : columns_) {
      if (!column.right && column.width > kNarrowest && (!widest || column.width > widest->width)) widest = &column;
    }
    if (!widest) return;
    --widest->width;
    --total;
  }
}

void TableView::write_row(const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto text = columns_[i].right ? cells[i] : cut(cells[i], columns_[i].width);
    const auto used = columns_of(text);
    const std::string pad(columns_[i].width > used ? columns_[i].width - used : 0, ' ');
    if (i) line += "  ";
    line += columns_[i].right ? pad + text : text + pad;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  write_(line + "\n");
}

void TableView::flush() {
  if (selection_.sorts()) {
    std::sort(rows_.begin(), rows_.end(), [&](const Row& a, const Row& b) { return selection_.before(a.key, b.key); });
  }
  if (!headed_) {
    if (rows_.size() > selection_.top()) rows_.resize(selection_.top());
    fit();
    std::vector<std::string> titles;
    for (const auto& column : columns_) titles.push_back(column.title);
    write_row(titles);
    headed_ = true;
  }
  for (const auto& row : rows_) {
    if (written_ >= selection_.top()) break;
    write_row(row.cells);
    ++written_;
  }
  rows_.clear();
}

void TableView::finish() {
  if (any_) return flush();
  if (!empty_.empty()) write_(empty_ + "\n");
}

}  // namespace sluice::control
