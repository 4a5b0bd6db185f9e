// SPDX-License-Identifier: Apache-2.0
// The queues of a port: bursts of mbufs that are our Packets.
#pragma once
#include <sluice/device.h>
#include <sluice/worker.h>

#include <memory>

#include "idle.h"
#include "mbuf.h"
#include "port.h"

namespace sluice::dpdk {

/// Makes the calling thread known to DPDK, once, until it ends.
void register_thread() noexcept;

class DpdkRxQueue final : public RxQueue {
 public:
  DpdkRxQueue(std::shared_ptr<Port> port, std::uint16_t queue);
  std::size_t receive(Worker& worker, std::span<Packet*> packets) noexcept override;
  int fd() const override { return idle_.fd(); }
  bool interrupts() const { return idle_.interrupts(); }

 private:
  const std::shared_ptr<Port> port_;
  const std::uint16_t id_, queue_;
  const bool comes_round_;
  Idle idle_;
};

class DpdkTxQueue final : public TxQueue {
 public:
  DpdkTxQueue(std::shared_ptr<Port> port, std::uint16_t queue);
  std::size_t transmit(Worker& worker, std::span<Packet* const> packets) noexcept override;

 private:
  static constexpr std::size_t kRun = 256;
  std::size_t fill(std::span<Packet* const> packets) noexcept;
  std::size_t send(Worker& worker, std::span<Packet* const> packets) noexcept;
  bool send_odd(Worker& worker, Packet* packet) noexcept;

  const std::shared_ptr<Port> port_;
  const std::uint16_t id_, queue_;
  const TxShape shape_;
  bool prepare_ = false;  // something in the run wants the device's help
  std::array<rte_mbuf*, kRun> mbufs_;
};

}  // namespace sluice::dpdk
