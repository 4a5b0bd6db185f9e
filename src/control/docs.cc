// SPDX-License-Identifier: Apache-2.0
#include "control/docs.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "control/values.h"

namespace sluice::control {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;

namespace {

std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string anchor(std::string_view syntax) { return std::string(syntax.substr(0, syntax.find_first_of("{["))); }

std::string type_of(const FieldDescriptor& field) {
  if (is_flag(field)) return "flag";
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return allowed(field);
  if (field.message_type()->full_name() == "google.protobuf.Any") return "settings of the feature";
  return field.is_repeated() ? "several" : "a group";
}

void arguments(const Descriptor& request, std::string_view prefix, std::string& out) {
  for (int i = 0; i < request.field_count(); ++i) {
    const auto& field = *request.field(i);
    const auto& r = rules(field);
    const auto name = fmt::format("{}{}", prefix, field.name());
    std::string about = comment(field);
    if (!r.default_().empty())
      about += fmt::format("{}Default {}{}{}.", about.empty() ? "" : " ", r.default_(), r.unit().empty() ? "" : " ",
                           r.unit());
    out += fmt::format("| `{}` | {} | {} |\n", name, cell(type_of(field)), cell(about));
    const bool nested = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && prefix.empty() && !field.is_map();
    if (nested && field.message_type()->full_name() != "google.protobuf.Any")
      arguments(*field.message_type(), name + ".", out);
  }
}

void reply(const MethodDescriptor& method, std::string& out) {
  const auto* type = method.output_type();
  if (type->full_name() == Done::descriptor()->full_name()) return;
  out += fmt::format("\nShows{}:\n\n| field | what it is |\n|---|---|\n", method.server_streaming() ? " for each" : "");
  for (int i = 0; i < type->field_count(); ++i) {
    const auto& field = *type->field(i);
    const auto& unit = rules(field).unit();
    out += fmt::format("| `{}` | {}{} |\n", field.name(), cell(comment(field)),
                       unit.empty() ? "" : fmt::format(" In {}.", unit));
  }
}

std::string section(const MethodDescriptor& method, const std::vector<const Form*>& forms) {
  std::string out = fmt::format("### {}\n\n", anchor(forms.front()->syntax));
  out += fmt::format("{}\n\n```text\n", comment(method));
  for (const auto* form : forms) out += form->syntax + "\n";
  out += "```\n";
  if (method.input_type()->field_count()) {
    out += "\n| argument | may be | what it is |\n|---|---|---|\n";
    arguments(*method.input_type(), "", out);
  }
  const auto& examples = method.options().GetExtension(cli).example();
  if (!examples.empty()) {
    out += fmt::format("\nExample{}:\n\n```text\n", examples.size() > 1 ? "s" : "");
    for (const auto& example : examples) out += example + "\n";
    out += "```\n";
  }
  reply(method, out);
  return out + "\n";
}

}  // namespace

std::string command_reference(const Schema& schema) {
  std::map<std::string, std::vector<const Form*>> by_method;
  std::map<std::string, std::string> sections;  // by the first form's words, so that the order is a reader's
  std::vector<const MethodDescriptor*> methods;
  for (const auto& form : schema.grammar().forms()) {
    auto& forms = by_method[form.method->full_name()];
    if (forms.empty()) methods.push_back(form.method);
    forms.push_back(&form);
  }
  for (const auto* method : methods) {
    const auto& forms = by_method[method->full_name()];
    sections[forms.front()->syntax + method->full_name()] = section(*method, forms);
  }
  std::string out =
      "# Commands of sluicectl\n\n"
      "Made from what the daemon describes (`sluicectl --generate-docs`); a test compares. `{x}` is a value, `{x,}` "
      "several\n"
      "with commas between them, `{x...}` the rest of the line, `[ ]` may be left out, `[ ]...` may come several "
      "times.\n"
      "Keywords come in any order behind the values that have none. On a terminal any unambiguous beginning of a "
      "keyword\n"
      "will do, `?` says what may come next, and the tabulator completes.\n\n"
      "Every list takes `match PATTERN`, `sort [-]FIELD`, `top N` and `columns A,B` at its end. What shows something "
      "takes\n"
      "`--watch SECONDS` behind that, and is asked again and again, with rates. `--json` prints any reply as JSON, an "
      "array for\n"
      "a list; numbers are exact there and in the units below.\n\n"
      "Exit status: 0 done or unchanged, 1 refused and nothing changed, 2 syntax, 3 daemon unreachable.\n\n";
  for (const auto& entry : sections) out += entry.second;
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace sluice::control
