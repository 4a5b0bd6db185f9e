// SPDX-License-Identifier: Apache-2.0
// At most rate events a second, and burst at once. One a worker, so that no one waits for another.
#pragma once
#include <algorithm>
#include <cstdint>

#include "sluice/clock.h"

namespace sluice {

class TokenBucket {
 public:
  TokenBucket(std::uint32_t rate, std::uint32_t burst) : cost_(tsc_hz() / rate), full_(cost_ * burst), level_(full_) {}

  /// now: the worker's TSC.
  bool take(std::uint64_t now) noexcept {
    if (now > last_) {
      level_ = std::min(full_, level_ + (now - last_));
      last_ = now;
    }
    if (level_ < cost_) return false;
    level_ -= cost_;
    return true;
  }

 private:
  std::uint64_t cost_, full_, level_;  // in ticks
  std::uint64_t last_ = 0;
};

}  // namespace sluice
