// SPDX-License-Identifier: Apache-2.0
// Looks at the workers from a thread of its own, so that a busy control thread delays nothing. A worker that makes no
// pass although it had the time for many is stuck; one that the host gives no CPU is counted and said in the log.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "control/progress.h"
#include "core/dataplane.h"

namespace sluice::watchdog {

struct StuckWorker {
  unsigned worker = 0;
  std::string node;              ///< the one that runs
  Finding how = Finding::Spins;  ///< or Blocks
  std::chrono::milliseconds silent{};
};

class SLUICE_API Watchdog {
 public:
  /// Begins; the workers run. on_stuck is called on the watchdog's thread, for the same worker again while it is stuck.
  Watchdog(Dataplane& dataplane, std::function<void(const StuckWorker&)> on_stuck);
  /// Ends; to be called before the workers do.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  class Kernel;
  struct Watched {
    WorkerThread* thread;
    std::unique_ptr<Kernel> kernel;
    Progress progress;
  };
  void run();
  void look(Watched& watched);
  void say_starved(const Watched& watched);

  Dataplane& dataplane_;
  const std::function<void(const StuckWorker&)> on_stuck_;
  std::vector<Watched> watched_;
  nanoseconds said_starved_{};  // when the log was told
  std::uint64_t starved_ = 0;   // and how often it happened since
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sluice::watchdog
