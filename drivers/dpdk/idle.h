// SPDX-License-Identifier: Apache-2.0
// When a worker may stop asking a receive queue, and what wakes it then: the device's interrupt where it has one for
// each queue; else a timer, because most virtual devices can only be asked. For as long as packets have come within
// kSpinNs the queue is asked with every pass. After that it is asked each millisecond, and after a second without
// packets each kLongNs: the first packet after that waits as long, and ten idle interfaces take less than a hundredth
// of a core. All timers of a machine go off at the same moments, so that one waking of a worker serves all of its
// queues.
#pragma once
#include <sluice/types.h>

#include <cstdint>

namespace sluice::dpdk {

class Idle {
 public:
  static constexpr std::uint64_t kSpinNs = 200'000, kShortNs = 1'000'000, kLongNs = 4'000'000,
                                 kLongAfterNs = 1'000'000'000;

  Idle(std::uint16_t port, std::uint16_t queue, int interrupt);
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
    return interrupt_ >= 0 ? arm_interrupt() : arm_timer(now);
  }

 private:
  void disarm() noexcept;
  bool arm_interrupt() noexcept;
  bool arm_timer(std::uint64_t now) noexcept;

  const std::uint16_t port_, queue_;
  const int interrupt_;
  const int timer_;
  const std::uint64_t spin_, long_after_, margin_;
  std::uint64_t last_ = 0, due_ = 0;
  bool armed_ = false;
};

}  // namespace sluice::dpdk
