// SPDX-License-Identifier: Apache-2.0
#include "control/grammar.h"

#include <fmt/format.h>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>

#include "control/command_writer.h"
#include "control/control.pb.h"
#include "control/matcher.h"
#include "control/values.h"

namespace sluice::control {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;
using google::protobuf::TextFormat;

namespace {

bool is_list(const MethodDescriptor& method) {
  return method.server_streaming() &&
         method.output_type()->options().GetExtension(view).shape() == ViewOptions::TABLE &&
         method.output_type()->options().HasExtension(view);
}

/// The message that holds the last field of a path; elements of repeated messages are made as needed.
Message& holder(Message& request, const std::vector<const FieldDescriptor*>& path) {
  Message* message = &request;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    const auto* reflection = message->GetReflection();
    if (!path[i]->is_repeated()) {
      message = reflection->MutableMessage(message, path[i]);
      continue;
    }
    const int size = reflection->FieldSize(*message, path[i]);
    message = size == 0 ? reflection->AddMessage(message, path[i])
                        : reflection->MutableRepeatedMessage(message, path[i], size - 1);
  }
  return *message;
}

/// The field of a value or flag, or the one that a clause's word leads to.
const FieldDescriptor* about(const Matcher::Edge& edge) {
  if (!edge.item->path.empty()) return &edge.item->field();
  const auto& frame = edge.after.frames.back();
  if (edge.after.frames.size() == 1 || frame.position >= frame.sequence->fixed.size()) return nullptr;
  const auto& next = frame.sequence->fixed[frame.position];
  return next.path.empty() ? nullptr : &next.field();
}

/// Turns what a thread has read into messages.
class Builder {
 public:
  Builder(MessageFactory& factory, const Matcher::Thread& thread) : factory_(factory), thread_(thread) {}

  bool build(Command& command, LineError& error) {
    const Form& form = *thread_.form;
    command.method = form.method;
    command.form = &form;
    command.request.reset(factory_.GetPrototype(form.method->input_type())->New());
    command.verbs = std::make_unique<ListVerbs>();
    apply_preset(*command.request, form.set);
    for (const auto& assignment : thread_.assignments) {
      const auto status = assign(assignment, command);
      if (status.ok()) continue;
      error = {assignment.begin, sluice::text(status)};
      return false;
    }
    if (settings_) pack_settings(*command.request);
    return true;
  }

 private:
  Status assign(const Assignment& assignment, Command& command) {
    switch (assignment.what) {
      case Assignment::What::Element:
        command.request->GetReflection()->AddMessage(command.request.get(), assignment.element);
        return {};
      case Assignment::What::Settings:
        settings_.reset(factory_.GetPrototype(assignment.settings)->New());
        opened_ = &assignment;
        return {};
      default: break;
    }
    const auto* type = assignment.item->path.front()->containing_type();
    Message* root = type == ListVerbs::descriptor()                   ? command.verbs.get()
                    : settings_ && type == settings_->GetDescriptor() ? settings_.get()
                                                                      : command.request.get();
    Message& message = holder(*root, assignment.item->path);
    const auto& field = assignment.item->field();
    if (assignment.what == Assignment::What::Flag) {
      message.GetReflection()->SetBool(&message, &field, true);
      return {};
    }
    if (!assignment.item->list) return set_value(message, field, assignment.text);
    std::string_view left = assignment.text;
    while (true) {
      const auto comma = left.find(',');
      if (auto status = set_value(message, field, left.substr(0, comma)); !status.ok()) return status;
      if (comma == std::string_view::npos) return {};
      left.remove_prefix(comma + 1);
    }
  }

  void pack_settings(Message& request) {
    Message& message = holder(request, opened_->item->path);
    Message* any = message.GetReflection()->MutableMessage(&message, &opened_->item->field());
    const auto* type = any->GetDescriptor();
    any->GetReflection()->SetString(any, type->FindFieldByNumber(google::protobuf::Any::kTypeUrlFieldNumber),
                                    "type.googleapis.com/" + settings_->GetDescriptor()->full_name());
    any->GetReflection()->SetString(any, type->FindFieldByNumber(google::protobuf::Any::kValueFieldNumber),
                                    settings_->SerializeAsString());
  }

  MessageFactory& factory_;
  const Matcher::Thread& thread_;
  std::unique_ptr<Message> settings_;
  const Assignment* opened_ = nullptr;
};

}  // namespace

bool apply_preset(Message& message, const std::string& set) {
  TextFormat::Parser parser;
  struct Silent : google::protobuf::io::ErrorCollector {
    void AddError(int, int, const std::string&) override {}
  } silent;
  parser.RecordErrorsTo(&silent);
  return parser.MergeFromString(set, &message);
}

Status Grammar::add(const google::protobuf::ServiceDescriptor& service) {
  for (int i = 0; i < service.method_count(); ++i) {
    const auto* method = service.method(i);
    for (const auto& declared : method->options().GetExtension(cli).form()) {
      auto sequence = parse_syntax(*method->input_type(), declared.syntax());
      if (!sequence.ok()) return refused("{}: {}", method->full_name(), sluice::text(sequence.status()));
      if (is_list(*method)) add_clauses(*sequence, *ListVerbs::descriptor());
      std::unique_ptr<Message> probe(factory_.GetPrototype(method->input_type())->New());
      if (!apply_preset(*probe, declared.set())) {
        return refused("{}: set \"{}\" is not text format of {}", method->full_name(), declared.set(),
                       method->input_type()->full_name());
      }
      forms_.push_back({method, declared.syntax(), declared.set(), *std::move(sequence)});
    }
  }
  return {};
}

void Grammar::add_settings(std::string_view selector, const google::protobuf::Descriptor& message) {
  settings_.insert_or_assign(std::string(selector), Settings{&message, settings_syntax(message)});
}

bool Grammar::parse(std::string_view line, const ParseOptions& options, Command& command, LineError& error) const {
  command = {};
  std::vector<Token> tokens;
  if (!tokenize(line, tokens, error)) return false;
  if (tokens.empty()) return true;
  Matcher matcher(forms_, settings_, options);
  for (std::size_t i = 0; i < tokens.size();) {
    if (!matcher.take(tokens, i, error)) return false;
  }
  const auto* thread = matcher.accepted();
  if (!thread) {
    error = {tokens.back().end, fmt::format("the line ends; expected {}", matcher.expected_text())};
    return false;
  }
  return Builder(factory_, *thread).build(command, error);
}

std::optional<std::string> Grammar::command_line(const MethodDescriptor& method, const Message& request,
                                                 bool secrets) const {
  for (const Form& form : forms_) {
    if (form.method->full_name() != method.full_name()) continue;
    if (auto line = CommandWriter(form, settings_, factory_, secrets).write(request)) return line;
  }
  return {};
}

Expectations Grammar::expect(std::string_view line, const ParseOptions& options) const {
  Expectations result;
  std::vector<Token> tokens;
  LineError error;
  if (!tokenize(line, tokens, error)) return result;
  result.begin = line.size();
  if (!tokens.empty() && tokens.back().end == line.size()) {
    result.partial = tokens.back().text;
    result.begin = tokens.back().begin;
    tokens.pop_back();
  }
  Matcher matcher(forms_, settings_, options);
  for (std::size_t i = 0; i < tokens.size();) {
    if (!matcher.take(tokens, i, error)) return result;
  }
  result.complete = !tokens.empty() && matcher.accepted();
  const MethodDescriptor* method = nullptr;
  bool several = false;
  for (const auto& edge : matcher.edges()) {
    const bool word = edge.item->kind != Item::Kind::Field;
    result.expected.push_back(
        {.word = word ? edge.item->word : std::string(), .field = about(edge), .form = edge.after.form});
    several |= method && method != edge.after.form->method;
    method = edge.after.form->method;
  }
  Command command;
  if (method && !several && Builder(factory_, matcher.edges().front().after).build(command, error)) {
    result.arguments = std::move(command.request);
  }
  return result;
}

std::string text(const LineError& error) { return fmt::format("column {}: {}", error.offset + 1, error.message); }

std::string text(const Expected& expected) {
  if (!expected.word.empty()) return expected.word;
  std::string name = kebab(expected.field->name());
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return fmt::format("{} ({})", name, allowed(*expected.field));
}

}  // namespace sluice::control
