// SPDX-License-Identifier: Apache-2.0
#include <urcu-qsbr.h>

#include "sluice/published.h"

#if defined(__SANITIZE_THREAD__)
#define SLUICE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLUICE_TSAN 1
#endif
#endif
#ifdef SLUICE_TSAN
// liburcu is not instrumented: tell TSan what a grace period orders.
extern "C" void __tsan_acquire(void*);
extern "C" void __tsan_release(void*);
#endif

namespace sluice {
namespace {

[[maybe_unused]] int grace_period;

void reader_is_done() {
#ifdef SLUICE_TSAN
  __tsan_release(&grace_period);
#endif
}

void synchronize() {
  urcu_qsbr_synchronize_rcu();
#ifdef SLUICE_TSAN
  __tsan_acquire(&grace_period);
#endif
}

}  // namespace

namespace {

/// Runs what it holds even when the loop that it was posted to ends before its turn.
struct Batch {
  std::vector<Rcu::Function> functions;
  Batch() = default;
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  ~Batch() { run(); }
  std::size_t run() {
    const std::size_t n = functions.size();
    for (auto& function : functions) function();
    functions.clear();
    return n;
  }
};

}  // namespace

Rcu::Rcu(std::function<void(Function)> post) : post_(std::move(post)), thread_([this] { run(); }) {}

Rcu::~Rcu() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
  drain();
}

void Rcu::defer(Function function) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(function));
  }
  backlog_.fetch_add(1, std::memory_order_relaxed);
  wake_.notify_one();
}

void Rcu::drain() {
  for (;;) {
    std::vector<Function> batch;
    {
      const std::lock_guard lock(mutex_);
      batch.swap(queue_);
    }
    if (batch.empty()) return;
    synchronize();
    for (auto& function : batch) function();
    backlog_.fetch_sub(batch.size(), std::memory_order_relaxed);
  }
}

void Rcu::run() {
  for (;;) {
    auto batch = std::make_shared<Batch>();
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || !queue_.empty(); });
      if (stop_) return;
      batch->functions.swap(queue_);
    }
    synchronize();
    const auto reclaim = [this, batch] { backlog_.fetch_sub(batch->run(), std::memory_order_relaxed); };
    if (post_) {
      post_(reclaim);
    } else {
      reclaim();
    }
  }
}

void Rcu::register_reader() { urcu_qsbr_register_thread(); }
void Rcu::unregister_reader() {
  reader_is_done();
  urcu_qsbr_unregister_thread();
}
void Rcu::quiescent() {
  reader_is_done();
  urcu_qsbr_quiescent_state();
}
void Rcu::offline() {
  reader_is_done();
  urcu_qsbr_thread_offline();
}
void Rcu::online() { urcu_qsbr_thread_online(); }

}  // namespace sluice
