// SPDX-License-Identifier: Apache-2.0
// What others read of a running node without asking its API: metrics over HTTP.
#pragma once
#include <optional>

#include "control/configuration.h"
#include "control/daemon.h"
#include "control/metrics_server.h"

namespace sluice {

class SLUICE_API Exports {
 public:
  /// The daemon outlives it.
  explicit Exports(Daemon& daemon);
  /// Begins with what the configuration wants. Errors: an address or path that cannot be had.
  Status open(const Configuration& configuration);

 private:
  Daemon& daemon_;
  metrics::HttpCounters http_;
  const metrics::Sources sources_;
  std::optional<metrics::MetricsServer> server_;
};

}  // namespace sluice
