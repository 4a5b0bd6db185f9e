// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include "control/json.h"
#include "control/values.h"
#include "control/view.h"
#include "local.h"
#include "pager.h"
#include "terminal.h"
#include "top.h"
#include "watch.h"

namespace sluice::ctl {

using control::Command;
using control::Expected;
using control::LineError;
using google::protobuf::Message;

namespace {

void put(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

bool is_done(const Message& message) { return message.GetDescriptor()->full_name() == Done::descriptor()->full_name(); }

std::string done_text(const Message& message, bool dry_run) {
  Done done;
  if (!done.ParseFromString(message.SerializeAsString())) return {};
  if (!done.unchanged()) return done.text().empty() ? dry_run ? "would be done\n" : "" : done.text() + "\n";
  return done.text().empty() ? "unchanged\n" : "unchanged: " + done.text() + "\n";
}

}  // namespace

StatusOr<std::unique_ptr<Session>> Session::open(const Settings& settings) {
  auto client = Client::connect(settings.socket);
  if (!client.ok()) return client.status();
  (*client)->interrupted_by(interrupted());
  auto schema = (*client)->describe();
  if (!schema.ok()) return schema.status();
  return std::unique_ptr<Session>(new Session(settings, *std::move(client), *std::move(schema)));
}

control::ParseOptions Session::typed() {
  return {.prefixes = true, .known = [this](const auto& method, const auto& field, std::string_view text) {
            control::CompleteRequest request;
            request.set_method("/" + method.service()->full_name() + "/" + method.name());
            request.set_field(field.full_name());
            request.set_prefix(std::string(text));
            const auto reply = client_->complete(request);
            return std::any_of(reply.candidates().begin(), reply.candidates().end(),
                               [&](const auto& c) { return c.value() == text; });
          }};
}

Exit Session::fail(Exit code, std::string_view message) {
  std::fflush(stdout);
  fmt::print(stderr, "sluicectl: {}\n", message);
  return code;
}

Exit Session::exit_of(const Status& status) const {
  if (status.ok()) return kDone;
  return client_->lost() ? kUnreachable : kRefused;
}

Exit Session::run(std::string_view line, std::string_view where) {
  if (line == "help") {
    Pager(settings_.pager).write(help(""));
    return kDone;
  }
  const auto every = cut_watch(line);
  if (!every.ok()) return fail(kSyntax, fmt::format("{}{}", where, text(every.status())));
  Command command;
  LineError error;
  if (!parse(line, command, error)) return fail(kSyntax, fmt::format("{}{}", where, text(error)));
  if (!command.method) return kDone;
  const auto repeated = *every ? *every : settings_.watch;
  const auto status = repeated ? watch(*this, line, *repeated) : execute(command);
  return status.ok() ? kDone : fail(exit_of(status), fmt::format("{}{}", where, text(status)));
}

bool Session::parse(std::string_view line, Command& command, LineError& error) {
  return schema_->grammar().parse(line, typed(), command, error);
}

Status Session::refresh() {
  auto schema = client_->describe();
  if (!schema.ok()) return schema.status();
  std::swap(schema_, *schema);
  former_.push_back(*std::move(schema));
  return {};
}

Status Session::call(const Command& command, const std::function<bool(const Message&)>& reply) {
  if (Local::owns(*command.method)) {
    return Local(*client_, *schema_).call(*command.method, *command.request, settings_.dry_run, reply);
  }
  return client_->call(*command.method, *command.request, schema_->factory(),
                       {.dry_run = settings_.dry_run, .verbs = command.verbs.get()}, reply);
}

Status Session::execute(Command& command) {
  if (is_top(*command.method)) return top(*this, *command.request);
  if (settings_.json) return execute_json(command);
  auto& verbs = static_cast<control::ListVerbs&>(*command.verbs);
  Pager out(settings_.pager);
  auto view = control::View::make(*command.method->output_type(), command.method->server_streaming(), verbs,
                                  output_size().columns, [&](std::string_view text) { out.write(text); });
  if (!view.ok()) return view.status();
  client_->while_waiting([&] { out.tick(); });
  const auto status = call(command, [&](const Message& reply) {
    if (is_done(reply)) {
      out.write(done_text(reply, settings_.dry_run));
    } else {
      (*view)->add(reply);
    }
    return !out.is_closed();
  });
  client_->while_waiting({});
  if (status.ok() && !is_done(*schema_->factory().GetPrototype(command.method->output_type()))) (*view)->finish();
  out.finish();
  std::fflush(stdout);
  return status;
}

Status Session::execute_json(const Command& command) {
  auto& factory = schema_->factory();
  const auto& type = *command.method->output_type();
  auto selection = control::Selection::make(type, static_cast<const control::ListVerbs&>(*command.verbs));
  if (!selection.ok()) return selection.status();
  control::JsonList list(*std::move(selection), &factory, put);
  const bool stream = command.method->server_streaming();
  const auto status = call(command, [&](const Message& reply) {
    if (stream) {
      list.add(reply);
    } else {
      put(control::to_json(reply, &factory) + "\n");
    }
    return std::ferror(stdout) == 0;
  });
  if (stream && (status.ok() || list.any())) list.finish();
  std::fflush(stdout);
  return status;
}

Exit Session::run_script(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(kSyntax, fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  if (std::filesystem::is_directory(path))
    return fail(kSyntax, path + ": cannot be read: it is a directory; give a file of commands");
  std::vector<std::pair<std::size_t, Command>> commands;
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    Command command;
    LineError error;
    if (!schema_->grammar().parse(line, {}, command, error)) {
      return fail(kSyntax,
                  fmt::format("{}:{}:{}: {}; nothing has been run", path, number, error.offset + 1, error.message));
    }
    if (command.method) commands.emplace_back(number, std::move(command));
  }
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const auto status = execute(commands[i].second);
    if (status.ok()) continue;
    return fail(exit_of(status),
                fmt::format("{}:{}: {}; {} of {} applied", path, commands[i].first, text(status), i, commands.size()));
  }
  return kDone;
}

std::vector<control::CompleteReply::Candidate> Session::values(const Expected& expected, std::string_view partial,
                                                               const Message* arguments) {
  control::CompleteRequest request;
  const auto* method = expected.form->method;
  request.set_method("/" + method->service()->full_name() + "/" + method->name());
  request.set_field(expected.field->full_name());
  request.set_prefix(std::string(partial));
  if (arguments) request.set_arguments(arguments->SerializeAsString());
  const auto reply = client_->complete(request);
  return {reply.candidates().begin(), reply.candidates().end()};
}

std::string Session::help(std::string_view line) {
  const auto expectations = schema_->grammar().expect(line, typed());
  std::map<std::string, std::string> rows;
  std::map<std::string, int> methods;
  for (const auto& expected : expectations.expected) {
    const auto word = text(expected);
    if (!expected.word.empty() && !expected.word.starts_with(expectations.partial)) continue;
    auto help = expected.field ? control::comment(*expected.field)
                               : control::first_sentence(control::comment(*expected.form->method));
    auto& row = rows[word];
    if (++methods[word] > 1 && row != help) help = fmt::format("{} forms", methods[word]);
    row = std::move(help);
    if (!expected.word.empty() || expected.field->containing_type() == control::ListVerbs::descriptor()) continue;
    for (const auto& candidate : values(expected, expectations.partial, expectations.arguments.get())) {
      rows["  " + candidate.value()] = candidate.help();
    }
  }
  std::string out;
  if (expectations.complete) out += "  <enter>\n";
  std::size_t width = 0;
  for (const auto& row : rows) width = std::max(width, row.first.size());
  for (const auto& [word, help] : rows) out += fmt::format("  {:<{}}  {}\n", word, width, help);
  return out;
}

std::vector<std::string> Session::completions(std::string_view line, std::string& partial) {
  const auto expectations = schema_->grammar().expect(line, typed());
  partial = expectations.partial;
  std::vector<std::string> words;
  if (expectations.complete && partial.starts_with('-') && std::string_view("--watch").starts_with(partial))
    words.emplace_back("--watch");
  for (const auto& expected : expectations.expected) {
    if (!expected.word.empty()) {
      if (expected.word.starts_with(partial)) words.push_back(expected.word);
      continue;
    }
    if (expected.field->containing_type() == control::ListVerbs::descriptor()) continue;
    for (const auto& candidate : values(expected, partial, expectations.arguments.get()))
      words.push_back(control::quote(candidate.value()));
  }
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

}  // namespace sluice::ctl
