// SPDX-License-Identifier: Apache-2.0
// The queues of a packet socket: a ring that the kernel copies frames into, and sendmmsg.
#pragma once
#include <linux/if_packet.h>
#include <sluice/device.h>
#include <sluice/vnet_header.h>
#include <sluice/worker.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace sluice::af_packet {

/// A packet socket with its ring, bound to an interface. Closed with its last owner.
class Socket {
 public:
  static constexpr std::size_t kFrameSize = 2048;
  static constexpr std::size_t kFrames = 2048;
  static constexpr std::size_t kRingSize = kFrameSize * kFrames;

  /// In the namespace of the calling thread.
  static StatusOr<std::shared_ptr<Socket>> open(int interface_index, bool promiscuous, bool qdisc_bypass);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  /// Makes it one of the group that shares the interface's packets by flow.
  Status join(std::uint16_t group) const;
  int fd() const { return fd_; }
  std::byte* frame(std::size_t index) const { return ring_ + index * kFrameSize; }

 private:
  Socket(int fd, std::byte* ring) : fd_(fd), ring_(ring) {}
  const int fd_;
  std::byte* const ring_;
};

class PacketRxQueue final : public RxQueue {
 public:
  explicit PacketRxQueue(std::shared_ptr<Socket> socket) : socket_(std::move(socket)) {}
  std::size_t receive(Worker& worker, std::span<Packet*> packets) noexcept override;
  int fd() const override { return socket_->fd(); }

 private:
  Packet* copy(Worker& worker, const std::byte* frame, const tpacket2_hdr& header) noexcept;
  Packet* read_long(Worker& worker) noexcept;
  bool finish(Packet& packet, const std::byte* frame, const tpacket2_hdr& header, std::uint32_t status) noexcept;

  const std::shared_ptr<Socket> socket_;
  std::size_t next_ = 0;
};

/// Sends runs of packets with one system call. What the kernel refuses is counted and gone.
class PacketTxQueue final : public TxQueue {
 public:
  explicit PacketTxQueue(std::shared_ptr<Socket> socket) : socket_(std::move(socket)) {}
  std::size_t transmit(Worker& worker, std::span<Packet* const> packets) noexcept override;

 private:
  static constexpr std::size_t kRun = 64;
  static constexpr std::size_t kVectors = 512;
  std::size_t fill(std::span<Packet* const> packets) noexcept;
  bool send(std::size_t count, std::size_t& sent) noexcept;

  const std::shared_ptr<Socket> socket_;
  std::array<VnetHeader, kRun> headers_;
  std::array<iovec, kVectors> vectors_;
  std::array<mmsghdr, kRun> messages_{};
};

}  // namespace sluice::af_packet
