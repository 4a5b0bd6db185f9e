// SPDX-License-Identifier: Apache-2.0
#include "control/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/text_width.h"
#include "control/values.h"

namespace sluice::control {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace {

constexpr std::size_t kRowsHeld = 2000;
// What texts are not made narrower than.
constexpr std::size_t kNarrowest = 8, kNarrowestName = 20, kNarrowestLast = 16;

/// Up to where a text of more columns is broken for the next line: at a blank if there is one.
std::size_t line_break(std::string_view text, std::size_t width) {
  const auto most = bytes_of(text, width + 1);
  const auto blank = text.substr(0, most).rfind(' ');
  return blank == std::string_view::npos || blank == 0 ? bytes_of(text, width) : blank;
}

}  // namespace

TableView::TableView(Selection selection, Options options, Write write)
    : selection_(std::move(selection)), options_(std::move(options)), write_(std::move(write)) {}

StatusOr<std::unique_ptr<TableView>> TableView::make(const Descriptor& row, const ListVerbs& verbs, Options options,
                                                     Write write) {
  auto selection = Selection::make(row, verbs);
  if (!selection.ok()) return selection.status();
  std::unique_ptr<TableView> table(new TableView(*std::move(selection), std::move(options), std::move(write)));
  table->choose(row);
  return table;
}

void TableView::add_column(const FieldDescriptor& field) {
  auto title = title_of(field);
  const auto width = columns_of(title);
  columns_.push_back({&field, title, is_number(field), width});
  if (!options_.rates || !is_counter(field)) return;
  columns_.push_back({.field = &field, .title = title + "/s", .right = true, .width = width + 2, .rate = true});
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

std::string TableView::cell(const Message& message, const Column& column) const {
  if (!column.rate) return field_text(message, *column.field, false);
  const auto rate = options_.rates->of(message, *column.field);
  return rate ? scaled(*rate, rules(*column.field).unit()) : "";
}

void TableView::add(const Message& message) {
  if (!selection_.wants(message)) return;
  any_ = true;
  Row row{.cells = {}, .key = selection_.key(message, rows_.size())};
  for (const auto& column : columns_) row.cells.push_back(cell(message, column));
  rows_.push_back(std::move(row));
  if (!selection_.sorts() && rows_.size() >= kRowsHeld) flush();
}

const TableView::Column& TableView::last() const {
  return *std::find_if(columns_.rbegin(), columns_.rend(), [](const Column& column) { return !column.left_out; });
}

std::size_t TableView::narrowest(const Column& column) const {
  if (column.right) return column.width;
  const auto least = &column == &columns_.front() ? kNarrowestName : &column == &last() ? kNarrowestLast : kNarrowest;
  return std::min(column.width, least);
}

std::size_t TableView::total(bool least) const {
  std::size_t total = 0;
  for (const auto& column : columns_) {
    if (!column.left_out) total += (total ? 2 : 0) + (least ? narrowest(column) : column.width);
  }
  return total;
}

/// The column to be left out next; null when only the first is there.
TableView::Column* TableView::least_important() {
  Column* found = nullptr;
  for (std::size_t i = columns_.size(); i-- > 1;) {
    if (columns_[i].left_out) continue;
    if (!found) found = &columns_[i];
    const bool has_rate = i + 1 < columns_.size() && columns_[i + 1].rate && !columns_[i + 1].left_out;
    if (has_rate) return &columns_[i];
  }
  return found;
}

void TableView::fit() {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    for (const auto& row : rows_) columns_[i].width = std::max(columns_[i].width, columns_of(row.cells[i]));
  }
  if (!options_.width) return;
  while (total(true) > options_.width) {
    auto* column = least_important();
    if (!column) break;
    column->left_out = true;
  }
  std::vector<std::size_t> least;
  for (const auto& column : columns_) least.push_back(narrowest(column));
  for (auto over = total(false); over > options_.width; --over) {
    Column* widest = nullptr;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      auto& column = columns_[i];
      if (!column.left_out && column.width > least[i] && (!widest || column.width > widest->width)) widest = &column;
    }
    if (!widest) break;
    --widest->width;
  }
  // Nothing but a name that is still too long.
  if (total(false) > options_.width) columns_.front().width = options_.width;
}

void TableView::write_line(const std::vector<std::string>& cells, std::string_view last_text) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto& column = columns_[i];
    if (column.left_out) continue;
    auto text = column.right ? cells[i] : i == 0 ? middle_cut(cells[i], column.width) : cut(cells[i], column.width);
    if (i && &column == &last() && !column.right) text = last_text;
    const auto used = columns_of(text);
    const std::string pad(column.width > used ? column.width - used : 0, ' ');
    if (i) line += "  ";
    line += column.right ? pad + text : text + pad;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  write_(line + "\n");
}

void TableView::write_row(const std::vector<std::string>& cells) {
  const auto& column = last();
  std::string_view left = cells[static_cast<std::size_t>(&column - columns_.data())];
  if (column.right || &column == &columns_.front() || columns_of(left) <= column.width) return write_line(cells, left);
  auto line = cells;
  while (true) {
    const bool more = columns_of(left) > column.width;
    const auto end = more ? line_break(left, column.width) : left.size();
    write_line(line, left.substr(0, end));
    if (!more) return;
    left.remove_prefix(std::min(left.find_first_not_of(' ', end), left.size()));
    line.assign(line.size(), "");
  }
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
    write_line(titles, cut(last().title, last().width));
    headed_ = true;
  }
  for (const auto& row : rows_) {
    if (written_ >= selection_.top()) break;
    write_row(row.cells);
    ++written_;
  }
  rows_.clear();
}

void TableView::name_what_is_left_out() {
  std::string names;
  for (const auto& column : columns_) {
    if (column.left_out) names += (names.empty() ? "" : ", ") + column.title;
  }
  if (!names.empty()) write_(cut(fmt::format("no room for: {}", names), options_.width) + "\n");
}

void TableView::finish() {
  if (any_) {
    flush();
    return name_what_is_left_out();
  }
  if (!options_.empty.empty()) write_(options_.empty + "\n");
}

}  // namespace sluice::control
