// SPDX-License-Identifier: Apache-2.0
// The queues of an AF_XDP socket. Frames come and go in the pool's buffers; those of several buffers are chains.
#pragma once
#include <sluice/device.h>
#include <sluice/worker.h>

#include <memory>

#include "socket.h"

namespace sluice::af_xdp {

/// Frame bytes of a chain that the kernel makes of several buffers: a linear part and 17 fragments.
inline constexpr std::size_t kMostSegments = 18;

class XdpRxQueue final : public RxQueue {
 public:
  XdpRxQueue(std::shared_ptr<Socket> socket, BufferPool& pool) : socket_(std::move(socket)), pool_(pool) {}
  ~XdpRxQueue() override;
  std::size_t receive(Worker& worker, std::span<Packet*> packets) noexcept override;
  int fd() const override { return socket_->fd(); }

 private:
  Packet* take(const xdp_desc& descriptor) noexcept;
  Packet* append(Worker& worker, Packet* segment, bool last) noexcept;
  bool supply(Worker& worker) noexcept;

  const std::shared_ptr<Socket> socket_;
  BufferPool& pool_;
  // A frame of which not all descriptors have come yet.
  Packet* head_ = nullptr;
  Packet* tail_ = nullptr;
  std::size_t segments_ = 0;
};

class XdpTxQueue final : public TxQueue {
 public:
  /// most_segments: of a frame; 1 without multi-buffer. No more than the device takes: with zero copy the kernel eats
  /// a part of a frame that has more, and never gives those buffers back.
  XdpTxQueue(std::shared_ptr<Socket> socket, std::size_t most_segments)
      : socket_(std::move(socket)), most_segments_(most_segments) {}
  std::size_t transmit(Worker& worker, std::span<Packet* const> packets) noexcept override;

 private:
  std::size_t segments_of(const Packet& packet) const noexcept;
  Packet* copy(Worker& worker, const Packet& packet) const noexcept;
  void put(std::uint32_t index, Packet& packet) noexcept;

  const std::shared_ptr<Socket> socket_;
  const std::size_t most_segments_;
};

}  // namespace sluice::af_xdp
