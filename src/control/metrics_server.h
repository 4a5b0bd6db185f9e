// SPDX-License-Identifier: Apache-2.0
// Answers GET /metrics on the control loop. Few clients at once, each with little to say and little time to say it in.
#pragma once
#include <asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "control/listen_address.h"
#include "control/metrics.h"

namespace sluice::metrics {

struct HttpLimits {
  std::size_t clients = 8;                    ///< at once; more are answered with 503
  std::chrono::milliseconds request{5000};    ///< for the whole head of a request
  std::chrono::milliseconds response{10000};  ///< for taking the answer
};

class SLUICE_API MetricsServer {
 public:
  /// Collects from sources; http in there is this server's to count in.
  MetricsServer(asio::io_context& loop, const Sources& sources, HttpCounters& counters, HttpLimits limits = {});
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  /// A unix socket is given to the group; empty leaves it. Errors: another serves the path; the kernel refuses.
  Status listen(const control::ListenAddress& where, const std::string& group);
  /// Where it listens, with the port that the kernel chose.
  std::uint16_t port() const;

 private:
  class Session;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sluice::metrics
