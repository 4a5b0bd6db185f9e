// SPDX-License-Identifier: Apache-2.0
#include "control/log_ring.h"

#include <algorithm>

namespace sluice::control {

std::vector<LogRing::Line> LogRing::last(std::size_t count, spdlog::level::level_enum level) {
  const std::lock_guard lock(mutex_);
  std::vector<Line> found;
  for (auto line = lines_.rbegin(); line != lines_.rend() && found.size() < count; ++line) {
    if (line->level >= level) found.push_back(*line);
  }
  std::reverse(found.begin(), found.end());
  return found;
}

void LogRing::sink_it_(const spdlog::details::log_msg& message) {
  lines_.push_back({message.time, message.level, std::string(message.payload.data(), message.payload.size())});
  if (lines_.size() > lines_max_) lines_.pop_front();
}

}  // namespace sluice::control
