// SPDX-License-Identifier: Apache-2.0
// When a worker may stop asking a receive queue, and what wakes it then: the device's interrupt where it has one for
// each queue; else a timer, because most virtual devices can only be asked. For as long as packets have come within
// kSpinNs the queue is asked with every pass. After that it is asked each millisecond, and after a second without
// packets each kLongNs: the first packet after that waits as long. All queues share one timer, so that it is set once
// for all of them and one waking of a worker serves all of its own.
#pragma once
#include <sluice/clock.h>
#include <sluice/types.h>

#include <atomic>
#include <cstdint>

namespace sluice::dpdk {

/// Goes off for all idle queues of all workers at once.
class Tick {
 public:
  Tick();
  ~Tick();
  Tick(const Tick&) = delete;
  Tick& operator=(const Tick&) = delete;

  int fd() const { return fd_; }
  /// It goes off within period, or a little earlier than that. now: TSC, read behind the last tick. Any worker.
  void within(std::uint64_t now, std::uint64_t period_ns) noexcept;

 private:
  const int fd_;
  const std::uint64_t margin_;
  // TSC. Two workers that set it at once may leave the later time: what waits for the earlier is asked that much later.
  std::atomic<std::uint64_t> due_{0};
};

class Idle {
 public:
  static constexpr std::uint64_t kSpinNs = 200'000, kShortNs = 1'000'000, kLongNs = 6'000'000,
                                 kLongAfterNs = 100'000'000;

  /// interrupt: the queue's descriptor, or -1.
  Idle(Tick& tick, std::uint16_t port, std::uint16_t queue, int interrupt);
  ~Idle();
  Idle(const Idle&) = delete;
  Idle& operator=(const Idle&) = delete;

  int fd() const { return interrupt_ >= 0 ? interrupt_ : timer_; }
  bool interrupts() const { return interrupt_ >= 0; }

  /// Packets came. now: TSC.
  void busy(std::uint64_t now) noexcept {
    last_ = now;
    if (armed_) [[unlikely]]
      disarm();
  }
  /// None came. Whether to ask again with the next pass; if not, fd() tells when.
  bool empty(std::uint64_t now) noexcept {
    if (now - last_ < spin_) return true;
    if (interrupt_ >= 0) return arm_interrupt();
    // Not by the worker's now, which may be from before the tick that it is handling: that would seem still to come.
    tick_.within(tsc(), now - last_ < long_after_ ? kShortNs : kLongNs);
    return false;
  }

 private:
  void disarm() noexcept;
  bool arm_interrupt() noexcept;

  Tick& tick_;
  const std::uint16_t port_, queue_;
  const int interrupt_;
  const int timer_;  // the tick's, by a number of its own, because epoll tells descriptors apart by that
  const std::uint64_t spin_, long_after_;
  std::uint64_t last_ = 0;
  bool armed_ = false;
};

}  // namespace sluice::dpdk
