// SPDX-License-Identifier: Apache-2.0
// A device for tests whose packets are numbered, each queue from 0.
#pragma once
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <vector>

#include "sluice/worker.h"

namespace sluice::test {

/// What arrives on a queue: the test adds to made, in whatever thread.
class NumberedQueue final : public RxQueue {
 public:
  struct Wire {
    std::atomic<std::uint64_t> made{0};
    std::uint64_t given = 0;  ///< the worker's
    std::atomic<int> inside{0}, at_once{0};
    int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ~Wire() { close(event); }
    void make(std::uint64_t n) {
      made += n;
      const std::uint64_t one = 1;
      (void)!write(event, &one, sizeof one);
    }
  };
  NumberedQueue(Wire& wire, std::uint8_t number) : wire_(wire), number_(number) {}

  std::size_t receive(Worker& worker, std::span<Packet*> packets) noexcept override {
    if (wire_.inside++ > 0) ++wire_.at_once;  // two workers: what must never be
    std::uint64_t events = 0;
    (void)!read(wire_.event, &events, sizeof events);
    std::size_t n = 0;
    more = false;
    for (; n < packets.size() && wire_.given < wire_.made.load(); ++n) {
      Packet* packet = worker.buffers().alloc();
      if (!packet) {
        more = n == 0;
        break;
      }
      packet->trim(20);
      packet->data[0] = std::byte{0x45};
      packet->data[1] = static_cast<std::byte>(number_);
      std::memcpy(packet->data + 8, &wire_.given, sizeof wire_.given);
      ++wire_.given;
      packets[n] = packet;
    }
    --wire_.inside;
    return n;
  }
  int fd() const override { return wire_.event; }

 private:
  Wire& wire_;
  const std::uint8_t number_;
};

class NumberedDevice final : public Device {
 public:
  using Wires = std::vector<std::unique_ptr<NumberedQueue::Wire>>;
  static Wires wires(std::size_t queues) {
    Wires made;
    for (std::size_t i = 0; i < queues; ++i) made.push_back(std::make_unique<NumberedQueue::Wire>());
    return made;
  }
  explicit NumberedDevice(Wires& wires) : wires_(wires) {
    info_.link = LinkLayer::Ip;
    info_.rx_queues = static_cast<std::uint16_t>(wires.size());
    info_.tx_queues = 0;
  }
  std::string_view driver() const override { return "loop"; }
  const DeviceInfo& info() const override { return info_; }
  StatusOr<std::vector<std::unique_ptr<RxQueue>>> open_rx() override {
    std::vector<std::unique_ptr<RxQueue>> queues;
    for (std::size_t i = 0; i < wires_.size(); ++i)
      queues.push_back(std::make_unique<NumberedQueue>(*wires_[i], static_cast<std::uint8_t>(i)));
    return queues;
  }
  StatusOr<std::vector<std::unique_ptr<TxQueue>>> open_tx() override { return std::vector<std::unique_ptr<TxQueue>>(); }

 private:
  Wires& wires_;
  DeviceInfo info_;
};

}  // namespace sluice::test
