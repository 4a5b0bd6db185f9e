// SPDX-License-Identifier: Apache-2.0
#include "control/contract.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "control/form_cover.h"
#include "control/values.h"

namespace sluice::control {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

namespace {

constexpr std::string_view kHead =
    "# What clients and scripts may rely on: docs/compatibility.md. Made by tools/docs from what the daemon "
    "describes.\n"
    "# Lines may come; none may go or change before the major version rises.\n";
constexpr std::string_view kForm = "form";
constexpr std::array<std::string_view, 9> kKinds{"service", "method", kForm,       "message", "field",
                                                 "enum",    "value",  "extension", "settings"};
constexpr std::string_view kSetMark = " | ";

unsigned number_of(std::string_view digits) {
  unsigned number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

std::string type_of(const FieldDescriptor& field) {
  if (field.is_map()) {
    const auto& entry = *field.message_type();
    return fmt::format("map<{},{}>", type_of(*entry.map_key()), type_of(*entry.map_value()));
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) return field.message_type()->full_name();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) return field.enum_type()->full_name();
  return field.type_name();
}

std::string_view parent_of(std::string_view name) { return name.substr(0, std::min(name.rfind('.'), name.size())); }

/// The next word of a line; the line is what follows it.
std::string_view take_word(std::string_view& line) {
  const auto end = std::min(line.find(' '), line.size());
  const auto word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

}  // namespace

/// Walks descriptors.
class ContractWriter {
 public:
  explicit ContractWriter(Contract& contract) : contract_(contract) {}

  void file(const FileDescriptor& file) {
    for (int i = 0; i < file.service_count(); ++i) service(*file.service(i));
    for (int i = 0; i < file.extension_count(); ++i) {
      const auto& extension = *file.extension(i);
      auto& entry = add("extension", extension.full_name());
      set(entry, "of", extension.containing_type()->full_name());
      set(entry, "number", std::to_string(extension.number()));
      set(entry, "type", type_of(extension));
    }
    for (int i = 0; i < file.message_type_count(); ++i) message(*file.message_type(i));
    for (int i = 0; i < file.enum_type_count(); ++i) enumeration(*file.enum_type(i));
  }
  void settings(const std::string& selector, const std::string& type) { set(add("settings", selector), "type", type); }

 private:
  Contract::Entry& add(std::string_view kind, const std::string& name) {
    auto& entry = contract_.entries_.emplace_back();
    entry.kind = kind;
    entry.name = name;
    return entry;
  }
  static void set(Contract::Entry& entry, std::string_view key, std::string value) {
    entry.attributes.emplace_back(key, std::move(value));
  }

  void service(const ServiceDescriptor& service) {
    add("service", service.full_name());
    for (int i = 0; i < service.method_count(); ++i) method(*service.method(i));
  }

  void method(const MethodDescriptor& method) {
    const auto& options = method.options().GetExtension(cli);
    auto& entry = add("method", method.full_name());
    set(entry, "request", method.input_type()->full_name());
    set(entry, "reply", method.output_type()->full_name());
    if (method.client_streaming()) set(entry, "takes", "stream");
    if (method.server_streaming()) set(entry, "streams", "yes");
    if (options.read_only()) set(entry, "read-only", "yes");
    for (const auto& form : options.form()) {
      auto& line = add(kForm, method.full_name());
      line.syntax = form.syntax();
      line.set = form.set();
    }
  }

  void message(const Descriptor& message) {
    if (message.options().map_entry()) return;
    add("message", message.full_name());
    for (int i = 0; i < message.field_count(); ++i) field(*message.field(i));
    for (int i = 0; i < message.nested_type_count(); ++i) this->message(*message.nested_type(i));
    for (int i = 0; i < message.enum_type_count(); ++i) enumeration(*message.enum_type(i));
  }

  void field(const FieldDescriptor& field) {
    auto& entry = add("field", field.full_name());
    set(entry, "number", std::to_string(field.number()));
    set(entry, "type", type_of(field));
    set(entry, "json", field.json_name());
    if (field.is_repeated() && !field.is_map()) set(entry, "holds", "several");
    if (field.has_optional_keyword()) set(entry, "holds", "one-or-none");
    if (const auto* oneof = field.real_containing_oneof()) set(entry, "oneof", oneof->name());
    if (!rules(field).unit().empty()) set(entry, "unit", rules(field).unit());
    if (rules(field).required()) set(entry, "required", "yes");
  }

  void enumeration(const EnumDescriptor& enumeration) {
    add("enum", enumeration.full_name());
    for (int i = 0; i < enumeration.value_count(); ++i) {
      const auto& value = *enumeration.value(i);
      auto& entry = add("value", fmt::format("{}.{}", enumeration.full_name(), value.name()));
      set(entry, "number", std::to_string(value.number()));
      set(entry, "word", enum_word(value));
    }
  }

  Contract& contract_;
};

std::string Contract::Entry::attribute(std::string_view key) const {
  const auto found =
      std::find_if(attributes.begin(), attributes.end(), [&](const auto& entry) { return entry.first == key; });
  return found == attributes.end() ? std::string() : found->second;
}

std::string Contract::Entry::line() const {
  std::string line = fmt::format("{} {}", kind, name);
  if (kind == kForm) return line + ' ' + syntax + (set.empty() ? "" : std::string(kSetMark) + set) + '\n';
  for (const auto& [key, value] : attributes) line += fmt::format(" {} {}", key, value);
  return line + '\n';
}

Contract Contract::of(const Schema& schema) {
  Contract contract;
  contract.major_ = number_of(schema.description().version());
  ContractWriter writer(contract);
  std::set<std::string> names;
  for (const auto& bytes : schema.description().files()) {
    google::protobuf::FileDescriptorProto file;
    if (file.ParseFromString(bytes) && (file.package() + ".").starts_with("sluice.")) names.insert(file.name());
  }
  for (const auto& name : names) writer.file(*schema.pool().FindFileByName(name));
  const auto& settings = schema.description().settings();
  for (const auto& [selector, type] : std::map<std::string, std::string>(settings.begin(), settings.end())) {
    writer.settings(selector, type);
  }
  return contract;
}

std::string Contract::text() const {
  std::string text = fmt::format("{}major {}\n", kHead, major_);
  for (const auto& entry : entries_) {
    if (entry.kind == "service" || entry.kind == "message" || entry.kind == "enum") text += '\n';
    text += entry.line();
  }
  return text;
}

StatusOr<Contract::Entry> Contract::parse_entry(std::string_view line) {
  Entry entry;
  entry.kind = take_word(line);
  entry.name = take_word(line);
  if (std::find(kKinds.begin(), kKinds.end(), entry.kind) == kKinds.end() || entry.name.empty()) {
    return refused("\"{} {}\" is no line of a contract; tools/docs writes them", entry.kind, entry.name);
  }
  if (entry.kind == kForm) {
    const auto mark = std::min(line.find(kSetMark), line.size());
    entry.syntax = line.substr(0, mark);
    entry.set = line.substr(std::min(mark + kSetMark.size(), line.size()));
    return entry;
  }
  while (!line.empty()) {
    const auto key = take_word(line);
    if (line.empty()) return refused("{} {}: {} has no value", entry.kind, entry.name, key);
    entry.attributes.emplace_back(key, take_word(line));
  }
  return entry;
}

StatusOr<Contract> Contract::parse(std::string_view text) {
  Contract contract;
  for (unsigned number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("major ")) {
      contract.major_ = number_of(line.substr(6));
      continue;
    }
    auto entry = parse_entry(line);
    if (!entry.ok()) return refused("line {}: {}", number, sluice::text(entry.status()));
    contract.entries_.push_back(*std::move(entry));
  }
  if (contract.entries_.empty()) return refused("it has no lines of a contract; tools/docs writes them");
  return contract;
}

void Contract::compare(const Entry& then, const Entry& now, std::vector<std::string>& broken) {
  std::set<std::string> keys;
  for (const auto* entry : {&then, &now}) {
    for (const auto& attribute : entry->attributes) keys.insert(attribute.first);
  }
  for (const auto& key : keys) {
    const auto was = then.attribute(key), is = now.attribute(key);
    const bool relaxed = (key == "required" && is.empty()) || (key == "read-only" && was.empty());
    if (was == is || relaxed) continue;
    broken.push_back(fmt::format("{} {}: {} was {}, is {}", then.kind, then.name, key, was.empty() ? "none" : was,
                                 is.empty() ? "none" : is));
  }
}

std::vector<std::string> Contract::broken_by(const Schema& schema) const {
  const auto now = of(schema);
  std::vector<std::string> broken;
  if (now.major_ > major_) return broken;
  if (now.major_ < major_) broken.push_back(fmt::format("major version: was {}, is {}", major_, now.major_));
  std::map<std::pair<std::string_view, std::string_view>, const Entry*> present;
  std::set<std::string_view> known, gone;
  for (const auto& entry : now.entries_) present[{entry.kind, entry.name}] = &entry;
  for (const auto& then : entries_) {
    known.insert(then.name);
    if (then.kind == kForm) {
      const auto* method = schema.pool().FindMethodByName(then.name);
      const auto status = method ? still_taken(schema.grammar(), *method, then.syntax, then.set) : Status();
      if (!status.ok()) broken.push_back(fmt::format("form {}: {}", then.name, sluice::text(status)));
      continue;
    }
    const auto found = present.find({then.kind, then.name});
    if (found != present.end()) {
      compare(then, *found->second, broken);
      continue;
    }
    // What is in something that is gone needs no sentence of its own.
    if (!gone.contains(parent_of(then.name))) broken.push_back(fmt::format("{} {}: is gone", then.kind, then.name));
    gone.insert(then.name);
  }
  for (const auto& entry : now.entries_) {
    const bool fresh = entry.kind == "field" && !known.contains(entry.name) && known.contains(parent_of(entry.name));
    if (fresh && !entry.attribute("required").empty()) {
      broken.push_back(fmt::format("field {}: is new and required: nobody sends it yet", entry.name));
    }
  }
  return broken;
}

}  // namespace sluice::control
