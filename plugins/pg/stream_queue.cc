// SPDX-License-Identifier: Apache-2.0
#include "stream_queue.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sluice::pg {
namespace {

// A faster stream sends several packets each time that the timer goes off.
constexpr std::uint64_t kShortestNs = 100'000;
// How soon a stream without a rate tries again after it found no buffers.
constexpr std::uint64_t kRetryNs = 1'000'000;
constexpr std::uint64_t kSecondNs = 1'000'000'000;

}  // namespace

StatusOr<std::shared_ptr<StreamQueue>> StreamQueue::create(std::shared_ptr<const Packets> packets, Pace pace,
                                                           InterfaceIndex out) {
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer < 0) return unavailable("no timer for the stream: {}", std::strerror(errno));
  const std::uint64_t ns = pace.rate ? std::max(kSecondNs / pace.rate, kShortestNs) : kRetryNs;
  const timespec period{static_cast<time_t>(ns / kSecondNs), static_cast<long>(ns % kSecondNs)};
  const itimerspec when{period, period};
  timerfd_settime(timer, 0, &when, nullptr);
  return std::shared_ptr<StreamQueue>(new StreamQueue(std::move(packets), pace, out, timer));
}

StreamQueue::StreamQueue(std::shared_ptr<const Packets> packets, Pace pace, InterfaceIndex out, int timer)
    : packets_(std::move(packets)),
      pace_(pace),
      out_(out),
      timer_(timer),
      packets_a_tick_(static_cast<double>(pace.rate) / static_cast<double>(tsc_hz())) {}

StreamQueue::~StreamQueue() { close(timer_); }

std::uint64_t StreamQueue::due(std::uint64_t now) const noexcept {
  const std::uint64_t sent_so_far = sent.get();
  std::uint64_t n = kVectorMax;
  if (pace_.rate) {
    const auto elapsed = static_cast<double>(now - began.load(std::memory_order_relaxed));
    const auto wanted = static_cast<std::uint64_t>(elapsed * packets_a_tick_ + 1.5);
    n = wanted > sent_so_far ? wanted - sent_so_far : 0;
  }
  if (pace_.count) n = std::min(n, pace_.count - std::min(pace_.count, sent_so_far));
  return n;
}

std::size_t StreamQueue::receive(Worker& worker, std::span<Packet*> packets) noexcept {
  const std::uint64_t now = worker.now();
  if (began.load(std::memory_order_relaxed) == 0) began.store(now, std::memory_order_relaxed);
  const std::size_t wanted = std::min<std::uint64_t>(due(now), packets.size());
  const std::size_t made = packets_->make(worker, sent.get(), packets.first(wanted));
  if (made < wanted) no_buffers.add();
  if (made == 0) {
    if (through() && !told_) told_ = worker.report(done_message);
    rearm();
    return 0;
  }
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < made; ++i) {
    packets[i]->tx_interface = out_;
    sum += packets[i]->chain_length;
  }
  sent.add(made);
  bytes.add(sum);
  last.store(now, std::memory_order_relaxed);
  return made;
}

/// The timer goes off again only when it was read.
void StreamQueue::rearm() noexcept {
  std::uint64_t expirations = 0;
  (void)!read(timer_, &expirations, sizeof expirations);
}

}  // namespace sluice::pg
