// SPDX-License-Identifier: Apache-2.0
#include "control/meta_service.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include "control/cpu.h"
#include "control/description.h"
#include "sluice/log.h"

#ifndef SLUICE_VERSION
#define SLUICE_VERSION "unknown"
#endif

namespace sluice::control {
namespace {

LogLevel level_of(sluice::LogLevel level) {
  switch (level) {
    case sluice::LogLevel::Debug: return DEBUG;
    case sluice::LogLevel::Info: return INFO;
    case sluice::LogLevel::Warning: return WARNING;
    case sluice::LogLevel::Error: return ERROR;
  }
  return LOG_LEVEL_ANY;
}

}  // namespace

MetaService::MetaService(const Dispatcher& dispatcher, std::span<const LoadedPlugin> plugins)
    : dispatcher_(dispatcher), plugins_(plugins) {}
MetaService::~MetaService() = default;

void MetaService::offer(Api& api) {
  api.service("sluice.control.Meta")
      .unary("Describe", this, &MetaService::describe)
      .unary("Complete", this, &MetaService::complete)
      .unary("ShowVersion", this, &MetaService::version)
      .stream("ShowPlugins", this, &MetaService::plugins)
      .stream("ShowLog", this, &MetaService::log);
}

Status MetaService::describe(const Nothing&, Description& reply) {
  if (!description_) description_ = control::describe(dispatcher_.api());
  reply = *description_;
  return {};
}

Status MetaService::complete(const CompleteRequest& request, CompleteReply& reply) const {
  const auto* method = dispatcher_.api().find(request.method());
  if (!method) return not_found("method {}: the daemon has none of that name", request.method());
  const auto* field = google::protobuf::DescriptorPool::generated_pool()->FindFieldByName(request.field());
  if (!field) return not_found("field {}: the daemon has none of that name", request.field());
  std::unique_ptr<google::protobuf::Message> arguments(method->request->New());
  if (!arguments->ParseFromString(request.arguments())) return refused("arguments: not a {}", arguments->GetTypeName());
  for (auto& found : dispatcher_.complete(*field, {.prefix = request.prefix(), .arguments = arguments.get()})) {
    auto* candidate = reply.add_candidates();
    candidate->set_value(std::move(found.value));
    candidate->set_help(std::move(found.help));
  }
  return {};
}

Status MetaService::version(const Nothing&, Version& reply) const {
  reply.set_version(SLUICE_VERSION);
  reply.set_isa(SLUICE_ISA_NAME);
  reply.set_level(fmt::format("x86-64-v{}", kCompiledLevel));
  reply.set_cpu(fmt::format("x86-64-v{}", cpu_level()));
  reply.set_compiler(
#ifdef __clang__
      "clang " __clang_version__
#else
      "g++ " __VERSION__
#endif
  );
  reply.set_pid(static_cast<std::uint32_t>(getpid()));
  reply.set_started(fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(std::chrono::system_clock::to_time_t(started_))));
  reply.set_uptime(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - since_).count()));
  return {};
}

Stream<Plugin> MetaService::plugins(const Nothing&) const {
  for (const auto& plugin : plugins_) {
    Plugin message;
    message.set_name(plugin.name);
    message.set_summary(plugin.summary);
    message.set_isa(plugin.isa);
    message.set_level(fmt::format("x86-64-v{}", plugin.descriptor->level));
    message.set_path(plugin.path);
    co_yield message;
  }
}

Stream<LogLine> MetaService::log(const LogQuery& query) {
  auto lines = recent_log();
  std::erase_if(lines, [&](const auto& line) { return level_of(line.level) < query.level(); });
  const std::size_t skip = lines.size() > query.last() ? lines.size() - query.last() : 0;
  for (std::size_t i = skip; i < lines.size(); ++i) {
    LogLine message;
    const auto seconds = static_cast<std::time_t>(lines[i].wall_ns / 1'000'000'000u);
    message.set_time(fmt::format("{:%H:%M:%S}.{:03}", fmt::localtime(seconds), lines[i].wall_ns / 1'000'000u % 1000));
    message.set_level(level_of(lines[i].level));
    message.set_text(lines[i].text);
    co_yield message;
  }
}

}  // namespace sluice::control
