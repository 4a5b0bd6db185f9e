// SPDX-License-Identifier: Apache-2.0
// The thread around a Worker: polls receive queues, runs the graph, sleeps when there is nothing to do.
#pragma once
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "sluice/interfaces.h"
#include "sluice/worker.h"

namespace sluice {

struct RxBinding {
  RxQueue* queue = nullptr;  ///< null: the slot is free
  InterfaceIndex interface;
  NodeIndex input_node;
  RxMode mode = RxMode::Adaptive;
};

/// The receive queues of one worker. A queue keeps its slot, which epoll knows it by.
struct PollSet {
  std::uint64_t version = 0;  ///< grows with each change; an address may come back
  std::vector<RxBinding> queues;
};

class SLUICE_API WorkerThread {
 public:
  static constexpr std::uint64_t kSpinNs = 20'000;
  static constexpr std::uint64_t kTickNs = 50'000'000;
  static constexpr std::uint64_t kLookNs = 10'000;  ///< between looks at epoll while some queues are busy

  WorkerThread(Rcu& rcu, Worker& worker, std::optional<int> cpu);
  ~WorkerThread();
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  void start();
  void stop();

  // Control thread.
  /// Begins to serve a queue. Errors: no slot left.
  Status add(const RxBinding& binding);
  /// The queue is not touched any more after a grace period.
  void remove(const RxQueue* queue);
  void set_mode(const RxQueue* queue, RxMode mode);
  const PollSet& queues() const { return poll_set_.get(); }
  std::optional<int> cpu() const { return cpu_; }
  int tid() const { return tid_.load(); }
  /// TSC when it last ended a pass, or a vector within one.
  std::uint64_t heartbeat() const { return heartbeat_.get(); }
  /// CPU time that the thread has had; between start() and stop(), any thread.
  std::chrono::nanoseconds cpu_time() const;
  Worker& worker() { return worker_; }
  Counter starved;  ///< how often it was ready and got no CPU for long; the watchdog counts

 private:
  static constexpr std::size_t kMaxQueues = 8192;
  void run();
  bool pass();
  bool poll_queues(const PollSet& set);
  bool collect_events(int timeout_ms);  // whether there were any
  void activate(std::uint32_t slot);
  void sleep();

  Worker& worker_;
  const std::optional<int> cpu_;
  Published<PollSet> poll_set_;
  std::uint64_t seen_ = 0;  // version of the set that was looked at
  int epoll_ = -1;
  bool polling_ = false;
  bool spin_ = false;
  std::uint64_t last_work_ = 0, last_tick_ = 0, last_look_ = 0, spin_ticks_, tick_ticks_, look_ticks_;
  std::vector<std::uint32_t> active_;
  std::vector<bool> is_active_;
  std::atomic<bool> stop_{false};
  std::atomic<int> tid_{0};
  Counter heartbeat_;
  std::thread thread_;
};

}  // namespace sluice
