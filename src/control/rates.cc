// SPDX-License-Identifier: Apache-2.0
#include "control/rates.h"

#include <algorithm>
#include <array>
#include <set>

#include "control/selection.h"
#include "control/values.h"
#include "control/view.h"

namespace sluice::control {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace {

bool names_something(const FieldDescriptor& field) {
  if (field.is_repeated() || field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) return false;
  return field.cpp_type() == FieldDescriptor::CPPTYPE_STRING || (is_number(field) && rules(field).exact());
}

/// The first `count` fields that name something, of each row.
std::vector<std::string> names_of(const std::vector<const Message*>& rows, std::size_t count) {
  std::vector<std::string> names;
  for (const auto* row : rows) {
    std::string name;
    std::size_t left = count;
    for (int i = 0; left && i < row->GetDescriptor()->field_count(); ++i) {
      const auto& field = *row->GetDescriptor()->field(i);
      if (!names_something(field)) continue;
      name += field_text(*row, field, true) + '\n';
      --left;
    }
    names.push_back(std::move(name));
  }
  return names;
}

bool are_different(const std::vector<std::string>& names) {
  return std::set<std::string>(names.begin(), names.end()).size() == names.size();
}

}  // namespace

bool is_counter(const FieldDescriptor& field) {
  if (field.is_repeated() || field.cpp_type() != FieldDescriptor::CPPTYPE_UINT64 || rules(field).exact()) return false;
  const auto& unit = rules(field).unit();
  constexpr std::array<std::string_view, 5> kNone{"ns", "us", "ms", "s", "percent"};
  return std::find(kNone.begin(), kNone.end(), unit) == kNone.end() && !unit.ends_with("/s");
}

void Rates::take(const std::vector<const Message*>& rows, Clock::time_point when) {
  before_.clear();
  for (std::size_t i = 0; i < order_.size(); ++i) before_.emplace(names_[i], std::move(now_[order_[i]].counters));
  seconds_ = order_.empty() ? 0 : std::chrono::duration<double>(when - when_).count();
  when_ = when;
  order_ = rows;
  now_.clear();
  const auto fields = rows.empty() ? 0 : static_cast<std::size_t>(rows.front()->GetDescriptor()->field_count());
  std::size_t count = 1;
  names_ = names_of(rows, count);
  while (count < fields && !are_different(names_)) names_ = names_of(rows, ++count);
  std::map<std::string, int> seen;
  for (auto& name : names_) name += std::to_string(seen[name]++);  // what no field tells apart, its place does
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& now = now_[rows[i]];
    const auto* type = rows[i]->GetDescriptor();
    now.counters.resize(static_cast<std::size_t>(type->field_count()));
    for (int k = 0; k < type->field_count(); ++k) {
      if (!is_counter(*type->field(k))) continue;
      now.counters[static_cast<std::size_t>(k)] = rows[i]->GetReflection()->GetUInt64(*rows[i], type->field(k));
    }
    const auto found = before_.find(names_[i]);
    if (found != before_.end()) now.before = &found->second;
  }
}

std::optional<double> Rates::of(const Message& row, const FieldDescriptor& field) const {
  const auto found = now_.find(&row);
  if (found == now_.end() || !found->second.before || seconds_ <= 0 || !is_counter(field)) return {};
  const auto index = static_cast<std::size_t>(field.index());
  const auto before = (*found->second.before)[index], now = found->second.counters[index];
  if (now < before) return {};
  return static_cast<double>(now - before) / seconds_;
}

void Rates::forget() {
  order_.clear();
  names_.clear();
  now_.clear();
  before_.clear();
}

}  // namespace sluice::control
