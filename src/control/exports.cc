// SPDX-License-Identifier: Apache-2.0
#include "control/exports.h"

#include "sluice/log.h"

namespace sluice {
namespace {

constexpr std::chrono::milliseconds kPeriod{250};

}  // namespace

metrics::Sources export_sources(Daemon& daemon, const metrics::HttpCounters& http) {
  return {daemon.dataplane(), daemon.context().interfaces(), daemon.ip().routes(), daemon.ip().neighbors(), http};
}

Exports::Exports(Daemon& daemon) : daemon_(daemon), sources_(export_sources(daemon, http_)) {}

Status Exports::open(const Configuration& configuration) {
  if (const auto path = configuration.counters_path(); !path.empty()) {
    segment_.emplace(path, configuration.read_only_group);
    if (auto status = segment_->write(metrics::families(), sources_); !status.ok()) return status;
    timer_ = daemon_.context().every(kPeriod, [this] { write_counters(); });
  }
  if (!configuration.metrics) return {};
  server_.emplace(daemon_.loop(), sources_, http_);
  return server_->listen(*configuration.metrics, configuration.read_only_group);
}

void Exports::close() {
  timer_.reset();
  segment_.reset();
  server_.reset();
}

void Exports::write_counters() {
  if (!segment_) return;
  const Status status = segment_->write(metrics::families(), sources_);
  if (!status.ok() && !failing_) log(LogLevel::Error, "counters are not written", field("reason", text(status)));
  if (status.ok() && failing_) log(LogLevel::Info, "counters are written again");
  failing_ = !status.ok();
}

}  // namespace sluice
