// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sluice/device.h>
#include <sluice/pacer.h>
#include <sluice/worker.h>

#include <memory>
#include <vector>

namespace sluice::null {

/// What a source sends, and when.
struct Source {
  Source(std::vector<std::byte> bytes, std::size_t port, std::uint32_t flow_count, std::uint64_t rate,
         std::uint64_t count)
      : packet(std::move(bytes)), port_at(port), flows(flow_count), pacer(rate), limit(count) {}
  const std::vector<std::byte> packet;
  const std::size_t port_at;  ///< of the UDP source port
  const std::uint32_t flows;  ///< so many, in turn
  Pacer pacer;
  const std::uint64_t limit;  ///< 0: none
  std::uint64_t sent = 0;     ///< the worker's
};

class SourceQueue final : public RxQueue {
 public:
  explicit SourceQueue(std::shared_ptr<Source> source) : source_(std::move(source)) {}
  std::size_t receive(Worker& worker, std::span<Packet*> packets) noexcept override;
  int fd() const override { return source_->pacer.fd(); }

 private:
  const std::shared_ptr<Source> source_;
};

class SinkQueue final : public TxQueue {
 public:
  std::size_t transmit(Worker& worker, std::span<Packet* const> packets) noexcept override;
};

}  // namespace sluice::null
