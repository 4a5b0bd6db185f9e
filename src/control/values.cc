// SPDX-License-Identifier: Apache-2.0
#include "control/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "control/kinds.h"

namespace sluice::control {

using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Type = FieldDescriptor::CppType;

namespace {

bool is_integer(const FieldDescriptor& field) {
  const auto type = field.cpp_type();
  return type == Type::CPPTYPE_INT32 || type == Type::CPPTYPE_INT64 || type == Type::CPPTYPE_UINT32 ||
         type == Type::CPPTYPE_UINT64;
}
bool is_signed(const FieldDescriptor& field) {
  return field.cpp_type() == Type::CPPTYPE_INT32 || field.cpp_type() == Type::CPPTYPE_INT64;
}

struct Bounds {
  std::int64_t min = 0;
  std::uint64_t max = 0;
};

Bounds bounds(const FieldDescriptor& field) {
  Bounds b;
  switch (field.cpp_type()) {
    case Type::CPPTYPE_INT32:
      b = {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
      break;
    case Type::CPPTYPE_INT64:
      b = {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
      break;
    case Type::CPPTYPE_UINT32: b = {0, std::numeric_limits<std::uint32_t>::max()}; break;
    default: b = {0, std::numeric_limits<std::uint64_t>::max()}; break;
  }
  const auto& r = rules(field);
  if (r.has_min()) b.min = std::max(b.min, r.min());
  if (r.has_max()) b.max = std::min(b.max, r.max());
  return b;
}

/// A number as it is written: sign and magnitude, so that the whole of both 64-bit types fits.
struct Number {
  bool negative = false;
  std::uint64_t magnitude = 0;
  bool overflow = false;
};

std::optional<Number> parse_number(const FieldDescriptor& field, std::string_view text) {
  const auto& r = rules(field);
  if (r.kind() == "duration" || r.kind() == "bytes") {
    const auto value = r.kind() == "bytes" ? parse_bytes(text) : parse_duration(text, r.unit());
    if (!value) return {};
    return Number{.magnitude = *value};
  }
  Number number;
  number.negative = text.starts_with('-');
  if (number.negative) text.remove_prefix(1);
  const int base = text.starts_with("0x") ? 16 : 10;
  if (base == 16) text.remove_prefix(2);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number.magnitude, base);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) return {};
  number.overflow = error == std::errc::result_out_of_range;
  return number;
}

bool within(const Number& number, const Bounds& b) {
  if (number.overflow) return false;
  if (number.negative && number.magnitude > 0) {
    const auto lowest = b.min < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(b.min) : 0;
    return number.magnitude <= lowest;
  }
  return number.magnitude <= b.max && (b.min < 0 || number.magnitude >= static_cast<std::uint64_t>(b.min));
}

std::string range(const FieldDescriptor& field) {
  const auto b = bounds(field);
  const auto& unit = rules(field).unit();
  return fmt::format("{} to {}{}{}", b.min, b.max, unit.empty() ? "" : " ", unit);
}

Status wrong(const FieldDescriptor& field, std::string_view text) {
  return refused("{} {}: must be {}", kebab(field.name()), text.empty() ? "\"\"" : text, allowed(field));
}

template <class Value, class Set, class Add>
void put(Message& message, const FieldDescriptor& field, Value value, Set set, Add add) {
  const auto* reflection = message.GetReflection();
  if (field.is_repeated()) {
    (reflection->*add)(&message, &field, value);
  } else {
    (reflection->*set)(&message, &field, value);
  }
}

Status set_integer(Message& message, const FieldDescriptor& field, std::string_view text) {
  const auto number = parse_number(field, text);
  if (!number) return wrong(field, text);
  if (!within(*number, bounds(field))) return refused("{} {}: must be {}", kebab(field.name()), text, range(field));
  const auto value = number->negative ? std::uint64_t{0} - number->magnitude : number->magnitude;
  switch (field.cpp_type()) {
    case Type::CPPTYPE_INT32:
      put(message, field, static_cast<std::int32_t>(value), &Reflection::SetInt32, &Reflection::AddInt32);
      break;
    case Type::CPPTYPE_INT64:
      put(message, field, static_cast<std::int64_t>(value), &Reflection::SetInt64, &Reflection::AddInt64);
      break;
    case Type::CPPTYPE_UINT32:
      put(message, field, static_cast<std::uint32_t>(value), &Reflection::SetUInt32, &Reflection::AddUInt32);
      break;
    default: put(message, field, value, &Reflection::SetUInt64, &Reflection::AddUInt64); break;
  }
  return {};
}

Status set_real(Message& message, const FieldDescriptor& field, std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return wrong(field, text);
  const auto& r = rules(field);
  if ((r.has_min() && value < static_cast<double>(r.min())) || (r.has_max() && value > static_cast<double>(r.max()))) {
    return wrong(field, text);
  }
  if (field.cpp_type() == Type::CPPTYPE_FLOAT) {
    put(message, field, static_cast<float>(value), &Reflection::SetFloat, &Reflection::AddFloat);
  } else {
    put(message, field, value, &Reflection::SetDouble, &Reflection::AddDouble);
  }
  return {};
}

Status set_enum(Message& message, const FieldDescriptor& field, std::string_view text) {
  for (int i = 0; i < field.enum_type()->value_count(); ++i) {
    const EnumValueDescriptor* value = field.enum_type()->value(i);
    if (enum_word(*value) != text) continue;
    put(message, field, value, &Reflection::SetEnum, &Reflection::AddEnum);
    return {};
  }
  return wrong(field, text);
}

Status set_bool(Message& message, const FieldDescriptor& field, std::string_view text) {
  const auto words = value_words(field);
  if (text != words[0] && text != words[1]) return wrong(field, text);
  put(message, field, text == words[0], &Reflection::SetBool, &Reflection::AddBool);
  return {};
}

Status check_text(const FieldDescriptor& field, std::string_view text) {
  const auto& r = rules(field);
  if ((r.has_min() && std::cmp_less(text.size(), r.min())) || (r.has_max() && text.size() > r.max())) {
    const auto least = r.has_min() ? r.min() : 0;
    if (!r.has_max()) return refused("{} {}: must have at least {} characters", kebab(field.name()), text, least);
    return refused("{} {}: must have {} to {} characters", kebab(field.name()), text, least, r.max());
  }
  if (builtin_kind(r.kind()).empty()) return {};
  const auto status = check_builtin(r.kind(), text);
  return status.ok() ? status
                     : refused("{} {}: {}", kebab(field.name()), text.empty() ? "\"\"" : text, sluice::text(status));
}

Status set_text(Message& message, const FieldDescriptor& field, std::string_view text) {
  if (auto status = check_text(field, text); !status.ok()) return status;
  std::string value(text);
  const auto* reflection = message.GetReflection();
  if (field.is_repeated()) {
    reflection->AddString(&message, &field, std::move(value));
  } else {
    reflection->SetString(&message, &field, std::move(value));
  }
  return {};
}

/// The number in a field as text, for the same check that typed values pass.
std::string number_text(const Message& m, const FieldDescriptor& f, int i) {
  const auto* r = m.GetReflection();
  const bool many = f.is_repeated();
  switch (f.cpp_type()) {
    case Type::CPPTYPE_INT32: return std::to_string(many ? r->GetRepeatedInt32(m, &f, i) : r->GetInt32(m, &f));
    case Type::CPPTYPE_INT64: return std::to_string(many ? r->GetRepeatedInt64(m, &f, i) : r->GetInt64(m, &f));
    case Type::CPPTYPE_UINT32: return std::to_string(many ? r->GetRepeatedUInt32(m, &f, i) : r->GetUInt32(m, &f));
    default: return std::to_string(many ? r->GetRepeatedUInt64(m, &f, i) : r->GetUInt64(m, &f));
  }
}

Status check_number(const FieldDescriptor& field, const std::string& text) {
  const bool negative = text.starts_with('-');
  Number number{.negative = negative};
  std::from_chars(text.data() + negative, text.data() + text.size(), number.magnitude);
  if (within(number, bounds(field))) return {};
  return refused("{} {}: must be {}", kebab(field.name()), text, range(field));
}

Status check_one(const Message& message, const FieldDescriptor& field, int i, const KindCheck& kinds) {
  if (is_integer(field)) return check_number(field, number_text(message, field, i));
  const auto* reflection = message.GetReflection();
  if (field.cpp_type() == Type::CPPTYPE_ENUM) {
    const int number = field.is_repeated() ? reflection->GetRepeatedEnumValue(message, &field, i)
                                           : reflection->GetEnumValue(message, &field);
    return field.enum_type()->FindValueByNumber(number) ? Status() : wrong(field, std::to_string(number));
  }
  if (field.cpp_type() != Type::CPPTYPE_STRING) return {};
  std::string scratch;
  const auto& text = field.is_repeated() ? reflection->GetRepeatedStringReference(message, &field, i, &scratch)
                                         : reflection->GetStringReference(message, &field, &scratch);
  if (auto status = check_text(field, text); !status.ok()) return status;
  const auto& kind = rules(field).kind();
  if (kind.empty() || !kinds || !builtin_kind(kind).empty()) return {};
  return kinds(field, kind, text);
}

Status check_field(Message& message, const FieldDescriptor& field, const KindCheck& kinds) {
  const auto* reflection = message.GetReflection();
  const auto& r = rules(field);
  const bool given =
      field.is_repeated() ? reflection->FieldSize(message, &field) > 0 : reflection->HasField(message, &field);
  if (!given && !r.default_().empty()) {
    if (auto status = set_value(message, field, r.default_()); !status.ok()) return status;
  } else if (!given && r.required()) {
    // A plain bool or enumerator cannot say that it is missing: off, or the first one, is what it holds then.
    const bool worded = field.cpp_type() == Type::CPPTYPE_BOOL || field.cpp_type() == Type::CPPTYPE_ENUM;
    if (worded && !field.has_presence() && !field.is_repeated()) return {};
    if (!is_integer(field) || field.has_presence() || field.is_repeated()) {
      return refused("{}: is missing; must be {}", kebab(field.name()), allowed(field));
    }
    return check_one(message, field, 0, kinds);
  } else if (!given) {
    return {};
  }
  if (field.is_map()) return {};
  const int count = field.is_repeated() ? reflection->FieldSize(message, &field) : 1;
  for (int i = 0; i < count; ++i) {
    Status status;
    if (field.cpp_type() == Type::CPPTYPE_MESSAGE) {
      status = check_rules(field.is_repeated() ? *reflection->MutableRepeatedMessage(&message, &field, i)
                                               : *reflection->MutableMessage(&message, &field),
                           kinds);
    } else {
      status = check_one(message, field, i, kinds);
    }
    if (!status.ok()) return status;
  }
  return {};
}

}  // namespace

std::string kebab(std::string_view name) {
  std::string word(name);
  std::replace(word.begin(), word.end(), '_', '-');
  return word;
}

std::string enum_word(const EnumValueDescriptor& value) {
  std::string prefix;
  for (const char c : value.type()->name()) {
    if (std::isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix += '-';
    prefix += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  std::string word = kebab(value.name());
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  prefix += '-';
  return word.size() > prefix.size() && word.starts_with(prefix) ? word.substr(prefix.size()) : word;
}

std::vector<std::string> value_words(const FieldDescriptor& field) {
  std::vector<std::string> words;
  if (field.cpp_type() == Type::CPPTYPE_BOOL) {
    if (rules(field).kind() == "up-down") return {"up", "down"};
    return {"on", "off"};
  }
  if (field.cpp_type() == Type::CPPTYPE_ENUM) {
    for (int i = 0; i < field.enum_type()->value_count(); ++i) words.push_back(enum_word(*field.enum_type()->value(i)));
  }
  return words;
}

const FieldRules& rules(const FieldDescriptor& field) { return field.options().GetExtension(f); }

bool is_flag(const FieldDescriptor& field) {
  return field.cpp_type() == Type::CPPTYPE_BOOL && !field.is_repeated() && rules(field).kind().empty();
}

std::string allowed(const FieldDescriptor& field) {
  const auto& kind = rules(field).kind();
  if (!builtin_kind(kind).empty() && !is_integer(field)) return std::string(builtin_kind(kind));
  if (is_integer(field)) return fmt::format("{}, {}", kind.empty() ? "a number" : builtin_kind(kind), range(field));
  const auto words = value_words(field);
  if (!words.empty()) return fmt::format("{}", fmt::join(words, ", "));
  if (field.cpp_type() == Type::CPPTYPE_DOUBLE || field.cpp_type() == Type::CPPTYPE_FLOAT) return "a number";
  return kind.empty() ? "a text" : fmt::format("a known {}", kind);
}

bool acceptable(const FieldDescriptor& field, std::string_view text) {
  if (is_integer(field)) {
    const auto number = parse_number(field, text);
    return number && (!number->negative || is_signed(field) || number->magnitude == 0);
  }
  const auto words = value_words(field);
  return words.empty() || std::find(words.begin(), words.end(), text) != words.end();
}

Status set_value(Message& message, const FieldDescriptor& field, std::string_view text) {
  if (is_integer(field)) return set_integer(message, field, text);
  switch (field.cpp_type()) {
    case Type::CPPTYPE_BOOL: return set_bool(message, field, text);
    case Type::CPPTYPE_ENUM: return set_enum(message, field, text);
    case Type::CPPTYPE_FLOAT:
    case Type::CPPTYPE_DOUBLE: return set_real(message, field, text);
    case Type::CPPTYPE_STRING: return set_text(message, field, text);
    default: return refused("{}: cannot be typed as one word", kebab(field.name()));
  }
}

Status check_rules(Message& message, const KindCheck& kinds) {
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const auto& field = *message.GetDescriptor()->field(i);
    if (field.containing_oneof() && !message.GetReflection()->HasField(message, &field) && !rules(field).required() &&
        rules(field).default_().empty()) {
      continue;
    }
    if (auto status = check_field(message, field, kinds); !status.ok()) return status;
  }
  return {};
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, (word.size() + 1) / 3) + 1;
  for (const auto& candidate : known) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = row[0]++;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const auto substituted = diagonal + (word[i] != candidate[j]);
        diagonal = row[j + 1];
        row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, substituted});
      }
    }
    const bool begins = word.size() >= 2 && candidate.starts_with(word);
    const auto distance = begins ? 1 : row.back();
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace sluice::control
