// SPDX-License-Identifier: Apache-2.0
#include "idle.h"

#include <sluice/clock.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "rte.h"

namespace sluice::dpdk {

Tick::Tick()
    : fd_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)), margin_(ns_to_tsc(Idle::kShortNs / 10)) {}

Tick::~Tick() { close(fd_); }

void Tick::within(std::uint64_t now, std::uint64_t period_ns) noexcept {
  const std::uint64_t wanted = now + ns_to_tsc(period_ns);
  std::uint64_t due = due_.load(std::memory_order_relaxed);
  // Set already, and not about to have gone off: a worker that polls comes by often.
  if (due > now + margin_ && due <= wanted) return;
  if (!due_.compare_exchange_strong(due, wanted, std::memory_order_relaxed)) return;
  itimerspec timer{};
  timer.it_value.tv_nsec = static_cast<long>(period_ns);
  timerfd_settime(fd_, 0, &timer, nullptr);
}

Idle::Idle(Tick& tick, std::uint16_t port, std::uint16_t queue, int interrupt)
    : tick_(tick),
      port_(port),
      queue_(queue),
      interrupt_(interrupt),
      timer_(interrupt >= 0 ? -1 : dup(tick.fd())),
      spin_(ns_to_tsc(kSpinNs)),
      long_after_(ns_to_tsc(kLongAfterNs)) {}

Idle::~Idle() {
  if (timer_ >= 0) close(timer_);
}

void Idle::disarm() noexcept {
  armed_ = false;
  rte_eth_dev_rx_intr_disable(port_, queue_);
}

bool Idle::arm_interrupt() noexcept {
  if (armed_) return false;
  armed_ = true;
  rte_eth_dev_rx_intr_enable(port_, queue_);  // some have them always on, and say that they cannot
  return true;                                // what has come before that made no event
}

}  // namespace sluice::dpdk
