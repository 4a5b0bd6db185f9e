// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sluice/device.h>
#include <sluice/pacer.h>
#include <sluice/worker.h>

#include <array>
#include <memory>

#include "capture_file.h"

namespace sluice::pcap {

/// A capture that is received. next and left are the worker's.
struct Replay {
  Replay(Capture c, std::uint64_t loops, std::uint64_t rate)
      : capture(std::move(c)), pacer(rate), left(capture.packets.size() * loops) {}
  const Capture capture;
  Pacer pacer;
  std::size_t next = 0;
  std::uint64_t left;
};

class PcapRxQueue final : public RxQueue {
 public:
  explicit PcapRxQueue(std::shared_ptr<Replay> replay) : replay_(std::move(replay)) {}
  std::size_t receive(Worker& worker, std::span<Packet*> packets) noexcept override;
  int fd() const override { return replay_->pacer.fd(); }

 private:
  const std::shared_ptr<Replay> replay_;
};

class PcapTxQueue final : public TxQueue {
 public:
  /// Without a writer packets are thrown away.
  explicit PcapTxQueue(std::shared_ptr<CaptureWriter> writer) : writer_(std::move(writer)) {}
  std::size_t transmit(Worker& worker, std::span<Packet* const> packets) noexcept override;

 private:
  const std::shared_ptr<CaptureWriter> writer_;
  std::array<std::byte, Capture::kMostPacket> flat_;
};

}  // namespace sluice::pcap
