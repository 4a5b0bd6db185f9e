// SPDX-License-Identifier: Apache-2.0
// Keeps the latest log lines for `show log`.
#pragma once
#include <spdlog/sinks/base_sink.h>

#include <chrono>
#include <deque>
#include <mutex>
#include <string>

#include "sluice/types.h"

namespace sluice::control {

class SLUICE_API LogRing final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  struct Line {
    std::chrono::system_clock::time_point time;
    spdlog::level::level_enum level;
    std::string text;
  };

  explicit LogRing(std::size_t lines = 4096) : lines_max_(lines) {}
  /// The latest `count` lines of at least this level, oldest first. Any thread.
  std::vector<Line> last(std::size_t count, spdlog::level::level_enum level);

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}

 private:
  std::size_t lines_max_;
  std::deque<Line> lines_;
};

}  // namespace sluice::control
