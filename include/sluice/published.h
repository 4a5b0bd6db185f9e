// SPDX-License-Identifier: Apache-2.0
// What the data path reads is published by pointer and reclaimed after a grace period (liburcu, QSBR flavour).
#pragma once
#include <sluice/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace sluice {

class Worker;

/// Reclamation. One object a process; the control thread calls defer(). Deferred functions run after every worker has
/// passed a quiescent state, on whatever executor was given (the control loop), never on a worker.
class SLUICE_API Rcu {
 public:
  using Function = std::function<void()>;
  /// More deferred functions than this make backlog_full() true; handlers then refuse changes.
  static constexpr std::size_t kBacklogMax = 1u << 16;

  /// post runs a batch of functions on the control loop. Without one they run on Rcu's own thread.
  explicit Rcu(std::function<void(Function)> post = {});
  ~Rcu();
  Rcu(const Rcu&) = delete;
  Rcu& operator=(const Rcu&) = delete;

  /// Never waits.
  void defer(Function function);
  bool backlog_full() const { return backlog_.load(std::memory_order_relaxed) >= kBacklogMax; }
  std::size_t backlog() const { return backlog_.load(std::memory_order_relaxed); }
  /// Waits for a grace period and runs all that was deferred. For tests and for the end of the process.
  void drain();

  // A reader thread's side.
  static void register_reader();
  static void unregister_reader();
  static void quiescent();
  static void offline();
  static void online();

 private:
  void run();
  std::function<void(Function)> post_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Function> queue_;
  std::atomic<std::size_t> backlog_{0};
  bool stop_ = false;
  std::thread thread_;
};

/// A value that the control thread replaces whole and kernels read. Readers keep a reference for at most one vector.
template <class T>
class Published {
 public:
  explicit Published(Rcu& rcu, std::unique_ptr<const T> initial = std::make_unique<const T>())
      : rcu_(rcu), value_(initial.release()) {}
  ~Published() { delete value_.load(std::memory_order_relaxed); }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  /// Data path. The reference is good until the worker's next quiescent state.
  const T& read(const Worker&) const noexcept { return *value_.load(std::memory_order_acquire); }
  /// Control thread.
  const T& get() const noexcept { return *value_.load(std::memory_order_acquire); }
  /// Control thread: readers see next from now on; what it replaces is freed after a grace period.
  void publish(std::unique_ptr<const T> next) {
    const T* old = value_.exchange(next.release(), std::memory_order_acq_rel);
    rcu_.defer([old] { delete old; });
  }
  /// Control thread: publishes a copy that change has altered.
  template <class F>
  void update(F&& change) {
    auto next = std::make_unique<T>(get());
    change(*next);
    publish(std::move(next));
  }

 private:
  Rcu& rcu_;
  std::atomic<const T*> value_;
};

}  // namespace sluice
