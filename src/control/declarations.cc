// SPDX-License-Identifier: Apache-2.0
#include "control/declarations.h"

#include <fmt/format.h>

#include <set>

#include "control/kinds.h"
#include "control/values.h"

namespace sluice::control {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;

namespace {

class Checker {
 public:
  explicit Checker(const Schema& schema) : schema_(schema), faults_(schema.grammar().faults()) {
    for (const auto& kind : schema.description().kinds()) kinds_.insert(kind.name());
  }

  std::vector<std::string> run() {
    std::set<const MethodDescriptor*> seen;
    for (const auto& form : schema_.grammar().forms()) {
      if (seen.insert(form.method).second) check(*form.method);
    }
    return std::move(faults_);
  }

 private:
  template <class... Args>
  void fault(fmt::format_string<Args...> format, Args&&... args) {
    faults_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  void check(const MethodDescriptor& method) {
    const auto& options = method.options().GetExtension(cli);
    if (comment(method).empty()) fault("{}: no comment, so no help", method.full_name());
    if (options.example().empty()) fault("{}: no example", method.full_name());
    for (const auto& example : options.example()) {
      Command command;
      LineError error;
      if (!schema_.grammar().parse(example, {}, command, error)) {
        fault("{}: example \"{}\": {}", method.full_name(), example, text(error));
      } else if (command.method != &method) {
        fault("{}: example \"{}\" is not this method's", method.full_name(), example);
      } else {
        check_said_again(method, example, command);
      }
    }
    check(*method.input_type());
  }

  /// What is kept of a change must come out as a command that makes the same request.
  void check_said_again(const MethodDescriptor& method, const std::string& example, Command& command) {
    const auto any = [](const FieldDescriptor&, std::string_view, std::string_view) { return Status(); };
    (void)check_rules(*command.request, any);  // a value that is the default need not be said
    const auto line = schema_.grammar().command_line(method, *command.request, true);
    Command again;
    LineError error;
    if (!line) {
      fault("{}: example \"{}\": no form says its request again", method.full_name(), example);
    } else if (!schema_.grammar().parse(*line, {}, again, error) || again.method != &method ||
               !check_rules(*again.request, any).ok() ||
               again.request->SerializeAsString() != command.request->SerializeAsString()) {
      fault("{}: example \"{}\" is said again as \"{}\", which is another request", method.full_name(), example, *line);
    }
  }

  void check(const Descriptor& request) {
    if (!messages_.insert(&request).second) return;
    for (int i = 0; i < request.field_count(); ++i) {
      const auto& field = *request.field(i);
      const auto& kind = rules(field).kind();
      if (!kind.empty() && builtin_kind(kind).empty() && !kinds_.contains(kind)) {
        fault("{}: nobody has registered the kind {}", field.full_name(), kind);
      }
      if (comment(field).empty()) fault("{}: no comment, so no help", field.full_name());
      const bool nested = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field.is_map();
      if (nested && field.message_type()->full_name() != "google.protobuf.Any") check(*field.message_type());
    }
  }

  const Schema& schema_;
  std::vector<std::string> faults_;
  std::set<std::string> kinds_;
  std::set<const Descriptor*> messages_;
};

}  // namespace

Status check_declarations(const Schema& schema) {
  const auto faults = Checker(schema).run();
  if (faults.empty()) return {};
  return refused("{}", fmt::join(faults, "\n"));
}

}  // namespace sluice::control
