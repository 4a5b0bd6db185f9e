// SPDX-License-Identifier: Apache-2.0
// A running stream: a receive queue of no device. A timer wakes its worker when packets are due, so that a slow stream
// leaves the worker asleep in between.
#pragma once
#include <atomic>
#include <memory>

#include "packets.h"

namespace sluice::pg {

struct Pace {
  std::uint64_t count = 0;  ///< packets; 0: until stopped
  std::uint64_t rate = 0;   ///< packets a second; 0: as fast as possible
};

class StreamQueue final : public RxQueue {
 public:
  /// Errors: the kernel gives no timer.
  static StatusOr<std::shared_ptr<StreamQueue>> create(std::shared_ptr<const Packets> packets, Pace pace,
                                                       InterfaceIndex out);
  ~StreamQueue() override;

  std::size_t receive(Worker& worker, std::span<Packet*> packets) noexcept override;
  int fd() const override { return timer_; }

  /// Set before the queue is given to a worker: what to tell the control thread when the count is reached.
  ControlMessage done_message;
  bool through() const { return pace_.count != 0 && sent.get() >= pace_.count; }

  Counter sent, bytes;
  std::atomic<std::uint64_t> began{0}, last{0};  ///< TSC of the first and the latest packets

 private:
  StreamQueue(std::shared_ptr<const Packets> packets, Pace pace, InterfaceIndex out, int timer);
  std::uint64_t due(std::uint64_t now) const noexcept;
  void rearm() noexcept;

  const std::shared_ptr<const Packets> packets_;
  const Pace pace_;
  const InterfaceIndex out_;
  const int timer_;
  double packets_a_tick_ = 0;
  bool told_ = false;
};

}  // namespace sluice::pg
