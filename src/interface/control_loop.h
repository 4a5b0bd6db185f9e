// SPDX-License-Identifier: Apache-2.0
// Stands in for the control thread's event loop in tests: what is posted runs when the test says so, on its thread.
#pragma once
#include <mutex>
#include <utility>
#include <vector>

#include "sluice/published.h"

namespace sluice::test {

class ControlLoop {
 public:
  void post(Rcu::Function function) {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(function));
  }
  /// Runs what has been posted so far.
  void run() {
    std::vector<Rcu::Function> now;
    {
      const std::lock_guard lock(mutex_);
      now.swap(posted_);
    }
    for (auto& function : now) function();
  }

 private:
  std::mutex mutex_;
  std::vector<Rcu::Function> posted_;
};

}  // namespace sluice::test
