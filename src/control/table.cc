// SPDX-License-Identifier: Apache-2.0
#include "control/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "control/values.h"

namespace sluice::control {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace {

constexpr std::size_t kRowsHeld = 2000;
constexpr std::size_t kNarrowest = 8;  // a text column is not cut below this

bool is_number(const FieldDescriptor& field) {
  if (field.is_repeated()) return false;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_MESSAGE:
    case FieldDescriptor::CPPTYPE_ENUM:
    case FieldDescriptor::CPPTYPE_BOOL: return false;
    default: return true;
  }
}

std::string title_of(const FieldDescriptor& field) {
  return rules(field).title().empty() ? kebab(field.name()) : rules(field).title();
}

const FieldDescriptor* find_field(const Descriptor& row, std::string_view word) {
  for (int i = 0; i < row.field_count(); ++i) {
    if (kebab(row.field(i)->name()) == kebab(word) || title_of(*row.field(i)) == word) return row.field(i);
  }
  return nullptr;
}

Status unknown_column(const Descriptor& row, std::string_view verb, std::string_view word) {
  std::vector<std::string> known;
  for (int i = 0; i < row.field_count(); ++i) known.push_back(kebab(row.field(i)->name()));
  return refused("{} {}: no such column; there are {}", verb, word, fmt::join(known, ", "));
}

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

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

/// The pattern's own glob match over the whole text, by the usual two pointers.
bool glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && lower(pattern[p]) == lower(text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

bool matches(std::string_view pattern, std::string_view text) { return glob(fmt::format("*{}*", pattern), text); }

bool is_like(std::string_view pattern, std::string_view text) { return glob(pattern, text); }

TableView::TableView(const ListVerbs& verbs, std::size_t width, std::string empty, Write write)
    : verbs_(verbs), width_(width), empty_(std::move(empty)), write_(std::move(write)) {}

StatusOr<std::unique_ptr<TableView>> TableView::make(const Descriptor& row, const ListVerbs& verbs, std::size_t width,
                                                     std::string empty, Write write) {
  std::unique_ptr<TableView> table(new TableView(verbs, width, std::move(empty), std::move(write)));
  if (auto status = table->choose(row); !status.ok()) return status;
  return table;
}

void TableView::add_column(const FieldDescriptor& field) {
  auto title = title_of(field);
  const auto width = columns_of(title);
  columns_.push_back({&field, std::move(title), is_number(field), width});
}

Status TableView::choose(const Descriptor& row) {
  const auto& options = row.options().GetExtension(view);
  for (const auto& word : verbs_.columns()) {
    const auto* field = find_field(row, word);
    if (!field) return unknown_column(row, "columns", word);
    add_column(*field);
  }
  for (int i = 0; verbs_.columns().empty() && i < options.column_size(); ++i) {
    if (const auto* field = find_field(row, options.column(i))) add_column(*field);
  }
  const bool all = columns_.empty();
  for (int i = 0; all && i < row.field_count(); ++i) {
    if (!rules(*row.field(i)).wide()) add_column(*row.field(i));
  }
  if (verbs_.sort().empty()) return {};
  descending_ = verbs_.sort().front() == '-';
  sort_ = find_field(row, std::string_view(verbs_.sort()).substr(descending_));
  return sort_ ? Status() : unknown_column(row, "sort", verbs_.sort());
}

void TableView::add(const Message& message) {
  Row row{.cells = {}, .key = {}, .number = 0, .order = rows_.size()};
  bool match = verbs_.match().empty();
  for (const auto& column : columns_) {
    row.cells.push_back(field_text(message, *column.field, false));
  }
  for (int i = 0; !match && i < message.GetDescriptor()->field_count(); ++i) {
    match = matches(verbs_.match(), field_text(message, *message.GetDescriptor()->field(i), false));
  }
  if (!match) return;
  any_ = true;
  if (sort_) {
    row.key = field_text(message, *sort_, true);
    if (is_number(*sort_)) std::from_chars(row.key.data(), row.key.data() + row.key.size(), row.number);
  }
  rows_.push_back(std::move(row));
  if (!sort_ && rows_.size() >= kRowsHeld) flush();
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
  if (sort_) {
    const bool numbers = is_number(*sort_);
    std::sort(rows_.begin(), rows_.end(), [&](const Row& a, const Row& b) {
      const Row& first = descending_ ? b : a;
      const Row& second = descending_ ? a : b;
      if (numbers && first.number != second.number) return first.number < second.number;
      if (!numbers && first.key != second.key) return first.key < second.key;
      return a.order < b.order;
    });
  }
  if (!headed_) {
    if (verbs_.top() && rows_.size() > verbs_.top()) rows_.resize(verbs_.top());
    fit();
    std::vector<std::string> titles;
    for (const auto& column : columns_) titles.push_back(column.title);
    write_row(titles);
    headed_ = true;
  }
  for (const auto& row : rows_) {
    if (verbs_.top() && written_ >= verbs_.top()) break;
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
