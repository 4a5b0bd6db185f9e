// SPDX-License-Identifier: Apache-2.0
// When the next packets of a generating receive queue are due: at a rate, or as fast as the worker asks, and only while
// it is enabled. Its descriptor lets an adaptive worker sleep in between. enable() is the control thread's, due() the
// worker's.
#pragma once
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sluice {

class Pacer {
 public:
  /// per_second: packets; 0 for no limit.
  explicit Pacer(std::uint64_t per_second)
      : rate_(per_second),
        fd_(per_second ? timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
                       : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~Pacer() { close(fd_); }
  Pacer(const Pacer&) = delete;
  Pacer& operator=(const Pacer&) = delete;

  int fd() const { return fd_; }

  void enable(bool on) {
    enabled_.store(on, std::memory_order_relaxed);
    if (rate_ == 0) {
      const std::uint64_t one = 1;
      if (on) (void)!write(fd_, &one, sizeof one);
      return;
    }
    const long period = static_cast<long>(std::clamp<std::uint64_t>(kSecond / rate_, kShortest, kSecond - 1));
    itimerspec timer{};
    if (on) timer.it_interval.tv_nsec = timer.it_value.tv_nsec = period;
    timerfd_settime(fd_, 0, &timer, nullptr);
  }

  /// How many packets may be made now, at most `most`. now_ns only ever grows. What a sleeping worker has missed is
  /// made up for, up to a second's worth.
  std::size_t due(std::uint64_t now_ns, std::size_t most) noexcept {
    std::uint64_t count = 0;
    (void)!read(fd_, &count, sizeof count);
    if (!enabled_.load(std::memory_order_relaxed)) {
      last_ns_ = 0;
      return 0;
    }
    if (rate_ == 0) return most;
    if (last_ns_ == 0) {
      last_ns_ = now_ns;
      return most ? 1 : 0;
    }
    const std::uint64_t passed = std::min(now_ns - last_ns_, kSecond);
    const std::uint64_t ready = passed * rate_ / kSecond;
    const std::uint64_t take = std::min<std::uint64_t>(ready, most);
    // The rest of the time counts for the next packet.
    last_ns_ = take == ready ? now_ns - (passed * rate_ % kSecond) / rate_ : last_ns_ + take * kSecond / rate_;
    return take;
  }

 private:
  static constexpr std::uint64_t kSecond = 1'000'000'000, kShortest = 200'000;
  const std::uint64_t rate_;
  const int fd_;
  std::atomic<bool> enabled_{false};
  std::uint64_t last_ns_ = 0;
};

}  // namespace sluice
