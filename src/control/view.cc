// SPDX-License-Identifier: Apache-2.0
#include "control/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "control/table.h"
#include "control/values.h"

namespace sluice::control {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Type = FieldDescriptor::CppType;

namespace {

std::string steps(double value, double base, const std::array<std::string_view, 6>& suffixes, bool whole) {
  std::size_t step = 0;
  while (std::abs(value) >= base && step + 1 < suffixes.size()) {
    value /= base;
    ++step;
  }
  if (step == 0 && whole) return fmt::format("{:.0f}{}", value, suffixes[0]);
  const int digits = std::abs(value) >= 100 ? 0 : std::abs(value) >= 10 ? 1 : 2;
  return fmt::format("{:.{}f}{}", value, digits, suffixes[step]);
}

std::string seconds_text(double value) {
  const auto s = static_cast<std::uint64_t>(value);
  if (s < 60) return value == std::floor(value) ? fmt::format("{}s", s) : fmt::format("{:.2f}s", value);
  if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{}h{:02}m", s / 3600, s % 3600 / 60);
  return fmt::format("{}d{:02}h", s / 86400, s % 86400 / 3600);
}

std::string time_text(double nanoseconds) {
  constexpr std::array<std::string_view, 3> kUnits{"ns", "us", "ms"};
  for (const auto unit : kUnits) {
    if (nanoseconds < 1000)
      return nanoseconds == std::floor(nanoseconds) ? fmt::format("{:.0f}{}", nanoseconds, unit)
                                                    : fmt::format("{:.1f}{}", nanoseconds, unit);
    nanoseconds /= 1000;
  }
  return seconds_text(nanoseconds);
}

struct NumberText {
  std::string exact;
  double value;
};

NumberText number_of(const Message& m, const FieldDescriptor& f, int i) {
  const auto* r = m.GetReflection();
  const bool many = i >= 0;
  const auto whole = [](auto value) { return NumberText{std::to_string(value), static_cast<double>(value)}; };
  const auto real = [](double value) {
    auto text = fmt::format("{:.2f}", value);
    if (value == std::floor(value) && std::abs(value) < 1e15) text = fmt::format("{:.0f}", value);
    return NumberText{std::move(text), value};
  };
  switch (f.cpp_type()) {
    case Type::CPPTYPE_INT32: return whole(many ? r->GetRepeatedInt32(m, &f, i) : r->GetInt32(m, &f));
    case Type::CPPTYPE_INT64: return whole(many ? r->GetRepeatedInt64(m, &f, i) : r->GetInt64(m, &f));
    case Type::CPPTYPE_UINT32: return whole(many ? r->GetRepeatedUInt32(m, &f, i) : r->GetUInt32(m, &f));
    case Type::CPPTYPE_UINT64: return whole(many ? r->GetRepeatedUInt64(m, &f, i) : r->GetUInt64(m, &f));
    case Type::CPPTYPE_FLOAT: return real(many ? r->GetRepeatedFloat(m, &f, i) : r->GetFloat(m, &f));
    default: return real(many ? r->GetRepeatedDouble(m, &f, i) : r->GetDouble(m, &f));
  }
}

bool is_real(const FieldDescriptor& field) {
  return field.cpp_type() == Type::CPPTYPE_DOUBLE || field.cpp_type() == Type::CPPTYPE_FLOAT;
}

std::string number_text(const Message& message, const FieldDescriptor& field, int i, bool exact) {
  const auto number = number_of(message, field, i);
  const auto& r = rules(field);
  if (r.exact()) return number.exact;
  if (exact) return r.unit().empty() ? number.exact : fmt::format("{} {}", number.exact, r.unit());
  if (r.unit().empty() && (is_real(field) || std::abs(number.value) < 1e6)) return number.exact;
  return scaled(number.value, r.unit());
}

std::string nested_text(const Message& message, bool exact) {
  const auto& line = message.GetDescriptor()->options().GetExtension(view).line();
  if (!line.empty()) return fill_line(line, message);
  std::string text;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const auto value = field_text(message, *message.GetDescriptor()->field(i), exact);
    if (value.empty()) continue;
    if (!text.empty()) text += ' ';
    text += value;
  }
  return text;
}

std::string element_text(const Message& m, const FieldDescriptor& f, int i, bool exact) {
  const auto* r = m.GetReflection();
  switch (f.cpp_type()) {
    case Type::CPPTYPE_BOOL: {
      const bool set = i >= 0 ? r->GetRepeatedBool(m, &f, i) : r->GetBool(m, &f);
      if (rules(f).kind().empty()) return set ? "yes" : "no";
      return value_words(f)[set ? 0 : 1];
    }
    case Type::CPPTYPE_ENUM: {
      const int number = i >= 0 ? r->GetRepeatedEnumValue(m, &f, i) : r->GetEnumValue(m, &f);
      const auto* value = f.enum_type()->FindValueByNumber(number);
      return value ? enum_word(*value) : std::to_string(number);
    }
    case Type::CPPTYPE_STRING: {
      if (rules(f).secret()) return "[redacted]";
      auto text = i >= 0 ? r->GetRepeatedString(m, &f, i) : r->GetString(m, &f);
      if (f.type() != FieldDescriptor::TYPE_BYTES) return text;
      std::string hex;
      for (const char c : text) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
      return hex;
    }
    case Type::CPPTYPE_MESSAGE:
      return nested_text(i >= 0 ? r->GetRepeatedMessage(m, &f, i) : r->GetMessage(m, &f), exact);
    default: return number_text(m, f, i, exact);
  }
}

bool is_empty(const Message& message, const FieldDescriptor& field) {
  const auto* reflection = message.GetReflection();
  return field.is_repeated() ? reflection->FieldSize(message, &field) == 0 : !reflection->HasField(message, &field);
}

/// Fills {x} up to `end`; `any` becomes true when a field was not empty.
std::string fill(std::string_view line, std::size_t& at, char end, const Message& message, bool& any) {
  std::string out;
  while (at < line.size() && line[at] != end) {
    if (line[at] == '[' && end != ']') {
      bool inner_any = false;
      const auto inner = fill(line, ++at, ']', message, inner_any);
      if (inner_any) out += inner;
      at += at < line.size();
      continue;
    }
    const auto close = line[at] == '{' ? line.find('}', at) : std::string_view::npos;
    if (close == std::string_view::npos) {
      out += line[at++];
      continue;
    }
    const auto* field = message.GetDescriptor()->FindFieldByName(std::string(line.substr(at + 1, close - at - 1)));
    at = close + 1;
    if (!field) continue;
    any |= !is_empty(message, *field);
    out += field_text(message, *field, false);
  }
  return out;
}

std::string trimmed(std::string text) {
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

class TreeView final : public View {
 public:
  TreeView(const google::protobuf::Descriptor& reply, Write write)
      : empty_(reply.options().GetExtension(view).empty()), write_(std::move(write)) {}
  void add(const Message& message) override {
    any_ = true;
    show(message, 0);
  }
  void finish() override {
    if (!any_ && !empty_.empty()) write_(empty_ + "\n");
  }

 private:
  void show(const Message& message, int depth) {
    const auto& line = message.GetDescriptor()->options().GetExtension(view).line();
    const auto text = trimmed(line.empty() ? nested_text(message, false) : fill_line(line, message));
    if (!text.empty()) write_(fmt::format("{:{}}{}\n", "", depth * 2, text));
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const auto& field = *message.GetDescriptor()->field(i);
      const bool shown = line.find("{" + field.name() + "}") != std::string::npos;
      if (field.cpp_type() != Type::CPPTYPE_MESSAGE || field.is_map() || shown || line.empty()) continue;
      const auto* reflection = message.GetReflection();
      for (int k = 0; field.is_repeated() && k < reflection->FieldSize(message, &field); ++k) {
        show(reflection->GetRepeatedMessage(message, &field, k), depth + 1);
      }
      if (!field.is_repeated() && reflection->HasField(message, &field))
        show(reflection->GetMessage(message, &field), depth + 1);
    }
  }
  std::string empty_;
  Write write_;
  bool any_ = false;
};

class CardView final : public View {
 public:
  CardView(const google::protobuf::Descriptor& reply, const Rates* rates, Write write)
      : empty_(reply.options().GetExtension(view).empty()), rates_(rates), write_(std::move(write)) {}
  void add(const Message& message) override {
    if (any_) write_("\n");
    any_ = true;
    show(message);
  }
  void finish() override {
    if (!any_ && !empty_.empty()) write_(empty_ + "\n");
  }

 private:
  static std::string title(const FieldDescriptor& field) {
    if (!rules(field).title().empty()) return rules(field).title();
    std::string name = field.name();
    std::replace(name.begin(), name.end(), '_', ' ');
    return name;
  }

  std::string rate(const Message& message, const FieldDescriptor& field) const {
    const auto speed = rates_ ? rates_->of(message, field) : std::nullopt;
    return speed ? fmt::format("  {}/s", scaled(*speed, rules(field).unit())) : "";
  }

  void show(const Message& message) {
    std::size_t width = 0;
    const auto* type = message.GetDescriptor();
    for (int i = 0; i < type->field_count(); ++i) width = std::max(width, title(*type->field(i)).size());
    for (int i = 0; i < type->field_count(); ++i) {
      const auto& field = *type->field(i);
      if (is_empty(message, field) &&
          (field.has_presence() || field.is_repeated() || field.cpp_type() == Type::CPPTYPE_STRING)) {
        continue;
      }
      const auto head = fmt::format("{:<{}}  ", title(field) + ":", width + 1);
      if (field.is_repeated() && field.cpp_type() == Type::CPPTYPE_MESSAGE) {
        lines(message, field, head);
      } else {
        write_(trimmed(head + field_text(message, field, true) + rate(message, field)) + "\n");
      }
    }
  }

  void lines(const Message& message, const FieldDescriptor& field, std::string head) {
    for (int k = 0; k < message.GetReflection()->FieldSize(message, &field); ++k) {
      write_(trimmed(head + element_text(message, field, k, true)) + "\n");
      head.assign(head.size(), ' ');
    }
  }
  std::string empty_;
  const Rates* rates_;
  Write write_;
  bool any_ = false;
};

/// The only repeated message field of a reply that holds a whole table.
const FieldDescriptor* rows_of(const google::protobuf::Descriptor& reply) {
  const FieldDescriptor* found = nullptr;
  for (int i = 0; i < reply.field_count(); ++i) {
    const auto* field = reply.field(i);
    if (!field->is_repeated() || field->cpp_type() != Type::CPPTYPE_MESSAGE || field->is_map()) continue;
    if (found) return nullptr;
    found = field;
  }
  return found;
}

class RowsView final : public View {
 public:
  RowsView(std::unique_ptr<View> table, const FieldDescriptor& rows) : table_(std::move(table)), rows_(rows) {}
  void add(const Message& message) override {
    const auto* reflection = message.GetReflection();
    for (int i = 0; i < reflection->FieldSize(message, &rows_); ++i)
      table_->add(reflection->GetRepeatedMessage(message, &rows_, i));
  }
  void finish() override { table_->finish(); }

 private:
  std::unique_ptr<View> table_;
  const FieldDescriptor& rows_;
};

}  // namespace

std::string scaled(double value, std::string_view unit) {
  constexpr std::array<std::string_view, 6> kDecimal{"", "k", "M", "G", "T", "P"};
  constexpr std::array<std::string_view, 6> kBytes{"", "K", "M", "G", "T", "P"};
  const bool whole = value == std::floor(value);
  if (unit == "ns") return time_text(value);
  if (unit == "us") return time_text(value * 1e3);
  if (unit == "ms") return time_text(value * 1e6);
  if (unit == "s") return seconds_text(value);
  if (unit == "percent") return fmt::format("{:.1f}%", value);
  if (unit == "bytes")
    return std::abs(value) < 10'000 && whole ? fmt::format("{:.0f}", value) : steps(value, 1024, kBytes, whole);
  return std::abs(value) < 100'000 && whole ? fmt::format("{:.0f}", value) : steps(value, 1000, kDecimal, whole);
}

std::string field_text(const Message& message, const FieldDescriptor& field, bool exact) {
  if (!field.is_repeated()) {
    if (field.has_presence() && is_empty(message, field)) return {};
    return element_text(message, field, -1, exact);
  }
  std::string text;
  const bool nested = field.cpp_type() == Type::CPPTYPE_MESSAGE;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    if (i) text += nested ? " " : ",";
    text += element_text(message, field, i, exact);
  }
  return text;
}

std::string fill_line(std::string_view line, const Message& message) {
  std::size_t at = 0;
  bool any = false;
  return fill(line, at, '\0', message, any);
}

StatusOr<std::unique_ptr<View>> View::make(const google::protobuf::Descriptor& reply, bool stream,
                                           const ListVerbs& verbs, std::size_t width, Write write, const Rates* rates) {
  const auto& options = reply.options().GetExtension(view);
  const bool declared = reply.options().HasExtension(view);
  if (!declared || options.shape() == ViewOptions::CARD)
    return std::unique_ptr<View>(new CardView(reply, rates, std::move(write)));
  if (options.shape() == ViewOptions::TREE) return std::unique_ptr<View>(new TreeView(reply, std::move(write)));
  const auto* rows = stream ? nullptr : rows_of(reply);
  auto table = TableView::make(rows ? *rows->message_type() : reply, verbs,
                               {.width = width, .empty = options.empty(), .rates = rates}, std::move(write));
  if (!table.ok()) return table.status();
  if (!rows) return std::unique_ptr<View>(*std::move(table));
  return std::unique_ptr<View>(new RowsView(*std::move(table), *rows));
}

}  // namespace sluice::control
