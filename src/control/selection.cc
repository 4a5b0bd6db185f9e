// SPDX-License-Identifier: Apache-2.0
#include "control/selection.h"

#include <fmt/format.h>

#include <charconv>

#include "control/values.h"
#include "control/view.h"

namespace sluice::control {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace {

Status unknown_column(const Descriptor& row, std::string_view verb, std::string_view word) {
  std::vector<std::string> known;
  for (int i = 0; i < row.field_count(); ++i) known.push_back(kebab(row.field(i)->name()));
  return refused("{} {}: no such column; there are {}", verb, word, fmt::join(known, ", "));
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

const FieldDescriptor* find_column(const Descriptor& row, std::string_view word) {
  for (int i = 0; i < row.field_count(); ++i) {
    if (kebab(row.field(i)->name()) == kebab(word) || title_of(*row.field(i)) == word) return row.field(i);
  }
  return nullptr;
}

StatusOr<Selection> Selection::make(const Descriptor& row, const ListVerbs& verbs) {
  Selection selection(verbs);
  for (const auto& word : verbs.columns()) {
    const auto* field = find_column(row, word);
    if (!field) return unknown_column(row, "columns", word);
    selection.columns_.push_back(field);
  }
  if (verbs.sort().empty()) return selection;
  selection.descending_ = verbs.sort().front() == '-';
  selection.sort_ = find_column(row, std::string_view(verbs.sort()).substr(selection.descending_));
  if (!selection.sort_) return unknown_column(row, "sort", verbs.sort());
  return selection;
}

bool Selection::wants(const Message& row) const {
  bool match = verbs_.match().empty();
  for (int i = 0; !match && i < row.GetDescriptor()->field_count(); ++i) {
    match = matches(verbs_.match(), field_text(row, *row.GetDescriptor()->field(i), false));
  }
  return match;
}

SortKey Selection::key(const Message& row, std::size_t order) const {
  SortKey key{.text = {}, .order = order};
  if (!sort_) return key;
  key.text = field_text(row, *sort_, true);
  if (is_number(*sort_)) std::from_chars(key.text.data(), key.text.data() + key.text.size(), key.number);
  return key;
}

bool Selection::before(const SortKey& a, const SortKey& b) const {
  const SortKey& first = descending_ ? b : a;
  const SortKey& second = descending_ ? a : b;
  if (sort_ && is_number(*sort_)) {
    if (first.number != second.number) return first.number < second.number;
  } else if (first.text != second.text) {
    return first.text < second.text;
  }
  return a.order < b.order;
}

}  // namespace sluice::control
