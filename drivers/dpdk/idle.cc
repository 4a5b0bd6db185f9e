// SPDX-License-Identifier: Apache-2.0
#include "idle.h"

#include <sluice/clock.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <ctime>

#include "rte.h"

namespace sluice::dpdk {

Idle::Idle(std::uint16_t port, std::uint16_t queue, int interrupt)
    : port_(port),
      queue_(queue),
      interrupt_(interrupt),
      timer_(interrupt >= 0 ? -1 : timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      spin_(ns_to_tsc(kSpinNs)),
      long_after_(ns_to_tsc(kLongAfterNs)),
      margin_(ns_to_tsc(kShortNs / 10)) {}

Idle::~Idle() {
  if (timer_ >= 0) close(timer_);
}

void Idle::disarm() noexcept {
  armed_ = false;
  due_ = 0;
  if (interrupt_ >= 0) rte_eth_dev_rx_intr_disable(port_, queue_);
}

bool Idle::arm_interrupt() noexcept {
  if (armed_) return false;
  armed_ = true;
  rte_eth_dev_rx_intr_enable(port_, queue_);  // some have them always on, and say that they cannot
  return true;                                // what has come before that made no event
}

bool Idle::arm_timer(std::uint64_t now) noexcept {
  // A worker that polls comes by often before the timer goes off.
  if (armed_ && now + margin_ < due_) return false;
  armed_ = true;
  const auto period = static_cast<long>(now - last_ < long_after_ ? kShortNs : kLongNs);
  timespec clock{};
  clock_gettime(CLOCK_MONOTONIC, &clock);
  const long wait = period - clock.tv_nsec % period;
  itimerspec timer{};
  timer.it_value.tv_sec = clock.tv_sec + (clock.tv_nsec + wait) / 1'000'000'000;
  timer.it_value.tv_nsec = (clock.tv_nsec + wait) % 1'000'000'000;
  timerfd_settime(timer_, TFD_TIMER_ABSTIME, &timer, nullptr);
  due_ = now + ns_to_tsc(static_cast<std::uint64_t>(wait));
  return false;
}

}  // namespace sluice::dpdk
