// SPDX-License-Identifier: Apache-2.0
#include "control/json.h"

#include <fmt/format.h>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "control/values.h"

namespace sluice::control {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using Type = FieldDescriptor::CppType;

namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

std::string real(double value) { return std::isfinite(value) ? fmt::format("{}", value) : "null"; }

class Writer {
 public:
  explicit Writer(MessageFactory* factory) : factory_(factory) {}

  void object(const Message& message, std::string_view type = {}) {
    out += '{';
    if (!type.empty()) out += fmt::format("\"@type\": {}", json_string(type));
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i)
      member(message, *message.GetDescriptor()->field(i));
    out += '}';
  }
  void object(const Message& message, const std::vector<const FieldDescriptor*>& fields) {
    out += '{';
    for (const auto* field : fields) member(message, *field);
    out += '}';
  }

  std::string out;

 private:
  void member(const Message& message, const FieldDescriptor& field) {
    if (!out.ends_with('{')) out += ", ";
    out += fmt::format("\"{}\": ", field.name());
    value(message, field);
  }

  void value(const Message& message, const FieldDescriptor& field) {
    const auto* reflection = message.GetReflection();
    if (field.is_map()) return map(message, field);
    if (field.is_repeated()) {
      out += '[';
      for (int i = 0; i < reflection->FieldSize(message, &field); ++i) {
        if (i) out += ", ";
        element(message, field, i);
      }
      out += ']';
    } else if (field.has_presence() && !reflection->HasField(message, &field)) {
      out += "null";
    } else {
      element(message, field, -1);
    }
  }

  void map(const Message& message, const FieldDescriptor& field) {
    const auto* reflection = message.GetReflection();
    const auto* key = field.message_type()->map_key();
    out += '{';
    for (int i = 0; i < reflection->FieldSize(message, &field); ++i) {
      const auto& entry = reflection->GetRepeatedMessage(message, &field, i);
      if (i) out += ", ";
      Writer inner(factory_);
      inner.element(entry, *key, -1);
      out += inner.out.starts_with('"') ? inner.out : '"' + inner.out + '"';
      out += ": ";
      element(entry, *field.message_type()->map_value(), -1);
    }
    out += '}';
  }

  void element(const Message& m, const FieldDescriptor& f, int i) {
    const auto* r = m.GetReflection();
    const bool many = i >= 0;
    switch (f.cpp_type()) {
      case Type::CPPTYPE_INT32: out += std::to_string(many ? r->GetRepeatedInt32(m, &f, i) : r->GetInt32(m, &f)); break;
      case Type::CPPTYPE_INT64: out += std::to_string(many ? r->GetRepeatedInt64(m, &f, i) : r->GetInt64(m, &f)); break;
      case Type::CPPTYPE_UINT32:
        out += std::to_string(many ? r->GetRepeatedUInt32(m, &f, i) : r->GetUInt32(m, &f));
        break;
      case Type::CPPTYPE_UINT64:
        out += std::to_string(many ? r->GetRepeatedUInt64(m, &f, i) : r->GetUInt64(m, &f));
        break;
      case Type::CPPTYPE_DOUBLE: out += real(many ? r->GetRepeatedDouble(m, &f, i) : r->GetDouble(m, &f)); break;
      case Type::CPPTYPE_FLOAT: out += real(many ? r->GetRepeatedFloat(m, &f, i) : r->GetFloat(m, &f)); break;
      case Type::CPPTYPE_BOOL:
        out += (many ? r->GetRepeatedBool(m, &f, i) : r->GetBool(m, &f)) ? "true" : "false";
        break;
      case Type::CPPTYPE_ENUM: enumerator(m, f, i); break;
      case Type::CPPTYPE_STRING: string(m, f, i); break;
      case Type::CPPTYPE_MESSAGE: nested(many ? r->GetRepeatedMessage(m, &f, i) : r->GetMessage(m, &f)); break;
    }
  }

  void enumerator(const Message& m, const FieldDescriptor& f, int i) {
    const int number =
        i >= 0 ? m.GetReflection()->GetRepeatedEnumValue(m, &f, i) : m.GetReflection()->GetEnumValue(m, &f);
    const auto* value = f.enum_type()->FindValueByNumber(number);
    out += value ? json_string(enum_word(*value)) : std::to_string(number);
  }

  void string(const Message& m, const FieldDescriptor& f, int i) {
    std::string scratch;
    const auto& text = i >= 0 ? m.GetReflection()->GetRepeatedStringReference(m, &f, i, &scratch)
                              : m.GetReflection()->GetStringReference(m, &f, &scratch);
    out += json_string(f.type() == FieldDescriptor::TYPE_BYTES ? hex(text) : text);
  }

  void nested(const Message& message) {
    const auto* type = message.GetDescriptor();
    if (type->full_name() != "google.protobuf.Any" || !factory_) return object(message);
    const auto* reflection = message.GetReflection();
    const auto url =
        reflection->GetString(message, type->FindFieldByNumber(google::protobuf::Any::kTypeUrlFieldNumber));
    const auto name = url.substr(url.rfind('/') + 1);
    const auto* held = type->file()->pool()->FindMessageTypeByName(name);
    if (!held) return object(message);
    std::unique_ptr<Message> inner(factory_->GetPrototype(held)->New());
    const auto bytes =
        reflection->GetString(message, type->FindFieldByNumber(google::protobuf::Any::kValueFieldNumber));
    if (!inner->ParseFromString(bytes)) return object(message);
    object(*inner, name);
  }

  MessageFactory* factory_;
};

}  // namespace

std::string to_json(const Message& message, MessageFactory* factory) {
  Writer writer(factory);
  writer.object(message);
  return std::move(writer.out);
}

JsonList::JsonList(Selection selection, MessageFactory* factory, std::function<void(std::string_view)> write)
    : selection_(std::move(selection)), factory_(factory), write_(std::move(write)) {}

void JsonList::add(const Message& message) {
  if (!selection_.wants(message)) return;
  Writer writer(factory_);
  if (selection_.columns().empty()) {
    writer.object(message);
  } else {
    writer.object(message, selection_.columns());
  }
  if (!selection_.sorts()) return write(writer.out);
  rows_.emplace_back(selection_.key(message, rows_.size()), std::move(writer.out));
}

void JsonList::write(std::string_view row) {
  if (written_ == selection_.top()) return;
  write_(written_ == 0 ? "[\n" : ",\n");
  write_(row);
  ++written_;
}

void JsonList::finish() {
  std::sort(rows_.begin(), rows_.end(),
            [&](const auto& a, const auto& b) { return selection_.before(a.first, b.first); });
  for (const auto& row : rows_) write(row.second);
  write_(written_ ? "\n]\n" : "[]\n");
}

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': quoted += "\\\""; break;
      case '\\': quoted += "\\\\"; break;
      case '\n': quoted += "\\n"; break;
      case '\t': quoted += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          quoted += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          quoted += c;
        }
    }
  }
  return quoted + '"';
}

}  // namespace sluice::control
