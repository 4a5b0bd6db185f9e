// SPDX-License-Identifier: Apache-2.0
// The queues of TUN and tap devices: one system call a packet, no copy between buffers.
#pragma once
#include <atomic>
#include <cstdint>

#include "sluice/device.h"
#include "sluice/read_chain.h"
#include "sluice/vnet_header.h"
#include "sluice/worker.h"

namespace sluice {

/// What the queues of a device have in common: who hears when the kernel's side is gone.
struct TunLink {
  std::uint32_t message_kind = 0;
  std::uint32_t device_id = 0;
  LinkLayer link = LinkLayer::Ip;
};

/// Reads each packet into free buffers, enough of them for the largest, and takes those that were filled.
class TunRxQueue final : public RxQueue {
 public:
  /// The descriptor is the device's.
  TunRxQueue(int fd, const TunLink& link) : fd_(fd), link_(link) {}
  std::size_t receive(Worker& worker, std::span<Packet*> packets) noexcept override;
  int fd() const override { return fd_; }

 private:
  // Of one receive(). More bytes than a core's own caches hold would be fetched from further away again when they
  // leave.
  static constexpr std::size_t kMostReads = 2 * kVectorMax, kMostBytes = 1u << 17;
  bool drop_waiting() noexcept;
  void fail(Worker& worker, int error) noexcept;

  const int fd_;
  const TunLink link_;
  VnetHeader header_;
  bool lost_ = false, told_ = false;
};

/// One writev a packet. What the kernel refuses is counted and gone: it would refuse it again.
class TunTxQueue final : public TxQueue {
 public:
  TunTxQueue(int fd) : fd_(fd) {}
  std::size_t transmit(Worker& worker, std::span<Packet* const> packets) noexcept override;

  /// Of one writev: the header and a packet's buffers.
  static constexpr std::size_t kVectors = 64;

 private:
  const int fd_;
};

}  // namespace sluice
