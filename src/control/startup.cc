// SPDX-License-Identifier: Apache-2.0
#include "control/startup.h"

#include <fmt/ranges.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

namespace sluice::control {

Status add_services(Grammar& grammar, const Api& api) {
  Status faults;
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  for (const std::string& name : api.services()) {
    const auto* service = pool->FindServiceByName(name);
    if (!service) continue;
    if (auto status = grammar.add(*service); !status.ok()) faults = status;
  }
  for (const auto& [selector, message] : api.settings()) grammar.add_settings(selector, *message);
  return faults;
}

Startup::Startup(const Dispatcher& dispatcher)
    : dispatcher_(dispatcher),
      grammar_(*google::protobuf::MessageFactory::generated_factory()),
      faults_(add_services(grammar_, dispatcher.api())) {}

Status Startup::check(const std::vector<StartupCommand>& commands) {
  if (!faults_.ok()) return faults_;
  std::vector<std::string> errors;
  parsed_.clear();
  for (const StartupCommand& line : commands) {
    Command command;
    LineError error;
    if (grammar_.parse(line.text, {}, command, error)) {
      parsed_.push_back(std::move(command));
    } else {
      errors.push_back(fmt::format("{}: '{}': {}", line.where, line.text, text(error)));
    }
  }
  return errors.empty() ? Status() : refused("{}", fmt::join(errors, "\n"));
}

Status Startup::run(const std::vector<StartupCommand>& commands) {
  if (auto status = check(commands); !status.ok()) return status;
  for (std::size_t i = 0; i < parsed_.size(); ++i) {
    if (!parsed_[i].method) continue;
    if (auto status = run_one(parsed_[i]); !status.ok()) {
      return make_status(status.code(), "{}: '{}': {}; what the {} before it did is undone", commands[i].where,
                         commands[i].text, sluice::text(status), i);
    }
  }
  return {};
}

Status Startup::run_one(Command& command) const {
  const auto path = fmt::format("/{}/{}", command.method->service()->full_name(), command.method->name());
  const Api::Method* method = dispatcher_.api().find(path);
  if (!method) return not_found("{} has no handler", path);
  CallContext context(CallContext::Origin::Startup);
  // A show command in the list is run for its errors; there is nobody to read its reply.
  if (method->streaming) {
    Status status;
    const auto stream = dispatcher_.open(*method, *command.request, context, status);
    if (!stream) return status;
    while (stream->next() == AnyStream::Step::Value) {
    }
    return stream->status();
  }
  const std::unique_ptr<google::protobuf::Message> reply(method->reply->New());
  return dispatcher_.call(*method, *command.request, *reply, context);
}

}  // namespace sluice::control
