// SPDX-License-Identifier: Apache-2.0
// What others read of a running node without asking its API: metrics over HTTP, counters in shared memory.
#pragma once
#include <memory>
#include <optional>

#include "control/configuration.h"
#include "control/counters_segment.h"
#include "control/daemon.h"
#include "control/metrics_server.h"

namespace sluice {

/// What the exports read; the daemon and the counters outlive it.
SLUICE_API metrics::Sources export_sources(Daemon& daemon, const metrics::HttpCounters& http);

class SLUICE_API Exports {
 public:
  /// The daemon outlives it.
  explicit Exports(Daemon& daemon);
  /// Begins with what the configuration wants. Errors: an address or path that cannot be had.
  Status open(const Configuration& configuration);
  /// Before the daemon stops: readers are told.
  void close();
  /// Writes the counters now, and not only when their time has come.
  void write_counters();

 private:
  Daemon& daemon_;
  metrics::HttpCounters http_;
  const metrics::Sources sources_;
  std::optional<metrics::MetricsServer> server_;
  std::optional<counters::Segment> segment_;
  bool failing_ = false;  // and said so
  std::unique_ptr<Timer> timer_;
};

}  // namespace sluice
