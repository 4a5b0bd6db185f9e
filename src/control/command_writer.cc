// SPDX-License-Identifier: Apache-2.0
#include "control/command_writer.h"

#include <fmt/format.h>
#include <google/protobuf/any.pb.h>

#include <algorithm>
#include <vector>

#include "control/values.h"

namespace sluice::control {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Type = FieldDescriptor::CppType;
using Kind = Item::Kind;

namespace {

constexpr std::string_view kRedacted = "[redacted]";

std::string number_text(const Message& message, const FieldDescriptor& field, int index) {
  const auto* r = message.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case Type::CPPTYPE_INT32:
      return std::to_string(one ? r->GetInt32(message, &field) : r->GetRepeatedInt32(message, &field, index));
    case Type::CPPTYPE_INT64:
      return std::to_string(one ? r->GetInt64(message, &field) : r->GetRepeatedInt64(message, &field, index));
    case Type::CPPTYPE_UINT32:
      return std::to_string(one ? r->GetUInt32(message, &field) : r->GetRepeatedUInt32(message, &field, index));
    case Type::CPPTYPE_UINT64:
      return std::to_string(one ? r->GetUInt64(message, &field) : r->GetRepeatedUInt64(message, &field, index));
    case Type::CPPTYPE_FLOAT:
      return fmt::format("{}", one ? r->GetFloat(message, &field) : r->GetRepeatedFloat(message, &field, index));
    default:
      return fmt::format("{}", one ? r->GetDouble(message, &field) : r->GetRepeatedDouble(message, &field, index));
  }
}

}  // namespace

std::string typed_value(const Message& message, const FieldDescriptor& field, int index) {
  const auto* r = message.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case Type::CPPTYPE_STRING:
      return one ? r->GetString(message, &field) : r->GetRepeatedString(message, &field, index);
    case Type::CPPTYPE_ENUM:
      return enum_word(*(one ? r->GetEnum(message, &field) : r->GetRepeatedEnum(message, &field, index)));
    case Type::CPPTYPE_BOOL:
      return value_words(
          field)[(one ? r->GetBool(message, &field) : r->GetRepeatedBool(message, &field, index)) ? 0 : 1];
    case Type::CPPTYPE_MESSAGE: return {};
    default: return number_text(message, field, index);
  }
}

bool is_given(const Message& message, const FieldDescriptor& field) {
  const auto* r = message.GetReflection();
  if (field.is_repeated()) return r->FieldSize(message, &field) > 0;
  if (!r->HasField(message, &field)) return false;  // zero counts as not there, unless the field is `optional`
  const auto& preset = rules(field).default_();
  return preset.empty() || field.cpp_type() == Type::CPPTYPE_MESSAGE || typed_value(message, field) != preset;
}

void CommandWriter::word(std::string_view text) {
  if (!line_.empty()) line_ += ' ';
  line_ += text;
}

std::string CommandWriter::value(const Message& message, const Item& item, int index) const {
  if (rules(item.field()).secret() && !secrets_) return std::string(kRedacted);
  const auto text = typed_value(message, item.field(), index);
  return words_.contains(text) ? fmt::format("\"{}\"", text) : quote(text);
}

/// All words of a form: in a value's place they would be taken for keywords.
void CommandWriter::collect_words(const Sequence& sequence) {
  for (const auto* items : {&sequence.fixed, &sequence.clauses}) {
    for (const Item& item : *items) {
      if (item.kind == Kind::Word || item.kind == Kind::Flag) words_.insert(item.word);
      if (item.body) collect_words(*item.body);
    }
  }
}

const Message& CommandWriter::holder(const Message& root, const Item& item) const {
  const Message* message = &root;
  for (std::size_t i = 0; i + 1 < item.path.size(); ++i) {
    const auto* r = message->GetReflection();
    message = item.path[i]->is_repeated() ? &r->GetRepeatedMessage(*message, item.path[i], element_.at(item.path[i]))
                                          : &r->GetMessage(*message, item.path[i]);
  }
  return *message;
}

bool CommandWriter::any_given(const Sequence& sequence, const Message& root) const {
  const auto given = [&](const Item& item) {
    if (item.kind == Kind::Group) return any_given(*item.body, root);
    // The list verbs of a form are not the request's.
    if (item.kind == Kind::Word || item.path.front()->containing_type() != root.GetDescriptor()) return false;
    return is_given(holder(root, item), item.field());
  };
  return std::any_of(sequence.fixed.begin(), sequence.fixed.end(), given) ||
         std::any_of(sequence.clauses.begin(), sequence.clauses.end(), given);
}

bool CommandWriter::group(const Item& item, const Message& root) {
  if (!item.element) {
    if (item.optional && !any_given(*item.body, root)) return true;
    return sequence(*item.body, root);
  }
  const int size = root.GetReflection()->FieldSize(root, item.element);
  if (size > 1 && !item.repeated) return false;
  written_.insert(item.element);
  for (int i = 0; i < size; ++i) {
    element_[item.element] = i;
    if (!sequence(*item.body, root)) return false;
  }
  return true;
}

bool CommandWriter::settings(const Item& item, const Message& holder, const Message& root) {
  const auto* of = root.GetDescriptor()->FindFieldByName(rules(item.field()).of());
  const auto found = of ? settings_.find(typed_value(root, *of)) : settings_.end();
  if (found == settings_.end()) return false;
  google::protobuf::Any any;
  any.ParseFromString(holder.GetReflection()->GetMessage(holder, &item.field()).SerializeAsString());
  const std::unique_ptr<Message> inner(factory_.GetPrototype(found->second.message)->New());
  written_.insert(&item.field());
  return inner->ParseFromString(any.value()) && sequence(found->second.sequence, *inner) && all_written(*inner);
}

bool CommandWriter::item(const Item& item, const Message& root) {
  if (item.kind == Kind::Word) {
    word(item.word);
    return true;
  }
  if (item.kind == Kind::Group) return group(item, root);
  const auto& field = item.field();
  const Message& message = holder(root, item);
  if (field.cpp_type() == Type::CPPTYPE_MESSAGE) return !is_given(message, field) || settings(item, message, root);
  written_.insert(&field);
  if (item.kind == Kind::Flag) {
    if (message.GetReflection()->GetBool(message, &field)) word(item.word);
    return true;
  }
  if (field.is_repeated()) {
    std::string list;
    for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
      const auto text = value(message, item, i);
      if (text.find(',') != std::string::npos) return false;
      list += (list.empty() ? "" : ",") + text;
    }
    if (list.empty()) return false;
    word(list);
    return true;
  }
  if (item.rest && (secrets_ || !rules(field).secret())) {
    const auto text = typed_value(message, field);
    const bool plain = text.find_first_of("\"'#\\") == std::string::npos && text.find("  ") == std::string::npos &&
                       !text.starts_with(' ') && !text.ends_with(' ');
    word(plain ? text : quote(text));
    return true;
  }
  const auto text = value(message, item, -1);
  if (text == "\"\"") return false;
  word(text);
  return true;
}

bool CommandWriter::sequence(const Sequence& sequence, const Message& root) {
  return std::all_of(sequence.fixed.begin(), sequence.fixed.end(), [&](const Item& i) { return item(i, root); }) &&
         std::all_of(sequence.clauses.begin(), sequence.clauses.end(), [&](const Item& i) { return item(i, root); });
}

bool CommandWriter::all_written(const Message& message) const {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  return std::all_of(fields.begin(), fields.end(), [&](const FieldDescriptor* field) {
    if (written_.contains(field) || !is_given(message, *field)) return true;
    // A message whose own fields were written one by one.
    return field->cpp_type() == Type::CPPTYPE_MESSAGE && !field->is_repeated() &&
           all_written(message.GetReflection()->GetMessage(message, field));
  });
}

/// What the form sets by itself must be what the request has; it needs no words.
bool CommandWriter::presets_hold(const Message& request) {
  const std::unique_ptr<Message> probe(request.New());
  if (!apply_preset(*probe, form_.set)) return false;
  std::vector<const FieldDescriptor*> fields;
  probe->GetReflection()->ListFields(*probe, &fields);
  for (const auto* field : fields) {
    if (field->is_repeated() || field->cpp_type() == Type::CPPTYPE_MESSAGE) return false;
    if (typed_value(*probe, *field) != typed_value(request, *field)) return false;
    written_.insert(field);
  }
  return true;
}

std::optional<std::string> CommandWriter::write(const Message& request) {
  collect_words(form_.sequence);
  if (!presets_hold(request) || !sequence(form_.sequence, request) || !all_written(request)) return {};
  return line_;
}

}  // namespace sluice::control
