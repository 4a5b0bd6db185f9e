// SPDX-License-Identifier: Apache-2.0
#include "queue.h"

#include <algorithm>
#include <cstring>

namespace sluice::dpdk {
namespace {

struct Registration {
  Registration() { rte_thread_register(); }
  ~Registration() { rte_thread_unregister(); }
};

std::uint16_t segments_of(const Packet& packet) noexcept {
  std::uint16_t n = 0;
  for (const Packet* segment = &packet; segment; segment = segment->next_segment) ++n;
  return n;
}

}  // namespace

void register_thread() noexcept { thread_local const Registration registration; }

DpdkRxQueue::DpdkRxQueue(std::shared_ptr<Port> port, std::uint16_t queue)
    : port_(std::move(port)),
      id_(port_->id()),
      queue_(queue),
      comes_round_(port_->shape().comes_round),
      idle_(port_->tick(), id_, queue, port_->interrupt_fd(queue)) {}

std::size_t DpdkRxQueue::receive(Worker& worker, std::span<Packet*> packets) noexcept {
  register_thread();
  std::size_t n = 0;
  {
    Lender lender(worker.buffers());
    auto** mbufs = reinterpret_cast<rte_mbuf**>(packets.data());
    n = rte_eth_rx_burst(id_, queue_, mbufs, static_cast<std::uint16_t>(packets.size()));
    if (comes_round_) {
      for (std::size_t i = 0; i < n; ++i) packet_of(mbufs[i])->reset();
    }
    for (std::size_t i = 0; i < n; ++i) {
      if (i + 4 < n) __builtin_prefetch(packet_of(mbufs[i + 4]), 1);
      packets[i] = adopt(mbufs[i]);
    }
    if (lender.missing() > 0) [[unlikely]] {
      no_buffers.add(lender.missing());
      more = true;
      return n;
    }
  }
  if (n > 0) {
    idle_.busy(worker.now());
    more = false;
  } else {
    more = idle_.empty(worker.now());
  }
  return n;
}

DpdkTxQueue::DpdkTxQueue(std::shared_ptr<Port> port, std::uint16_t queue)
    : port_(std::move(port)), id_(port_->id()), queue_(queue), shape_(port_->shape().tx) {}

/// mbufs for the packets up to the first that the device cannot take as it is.
std::size_t DpdkTxQueue::fill(std::span<Packet* const> packets) noexcept {
  prepare_ = false;
  std::size_t n = 0;
  for (; n < std::min(packets.size(), kRun); ++n) {
    Packet& packet = *packets[n];
    if (is_plain(packet)) [[likely]] {
      mbufs_[n] = describe_plain(packet);
      continue;
    }
    if (packet.next_segment && (!shape_.chains || segments_of(packet) > shape_.segments)) break;
    if (!describe(packet)) break;
    mbufs_[n] = mbuf_of(&packet);
    prepare_ |= packet.has(kChecksumPartial | kGso);
  }
  return n;
}

/// Of packets that fill() has described. Returns how many are gone: taken by the device, or refused by it and freed.
std::size_t DpdkTxQueue::send(Worker& worker, std::span<Packet* const> packets) noexcept {
  const auto size = static_cast<std::uint16_t>(packets.size());
  const std::uint16_t ready = prepare_ ? rte_eth_tx_prepare(id_, queue_, mbufs_.data(), size) : size;
  std::uint16_t sent = 0;
  while (sent < ready) {
    const auto part = static_cast<std::uint16_t>(ready - sent);
    const std::uint16_t taken = rte_eth_tx_burst(id_, queue_, mbufs_.data() + sent, part);
    if (taken == 0) break;
    sent = static_cast<std::uint16_t>(sent + taken);
  }
  for (std::size_t i = sent; i < size; ++i) undo(*packets[i]);
  if (sent < ready || ready == size) return sent;
  errors.add();
  worker.buffers().free(packets[sent]);
  return sent + 1u;
}

/// A packet in more segments than the device takes goes as a copy in one; what does not fit, or has no headers where
/// its checksum state says, is refused. False: the queue is full.
bool DpdkTxQueue::send_odd(Worker& worker, Packet* packet) noexcept {
  Packet* copy = nullptr;
  if (packet->next_segment && packet->chain_length <= kSegmentSize) copy = worker.buffers().alloc();
  if (!copy) {
    errors.add();
    worker.buffers().free(packet);
    return true;
  }
  std::size_t at = 0;
  for (const Packet* segment = packet; segment; at += segment->length, segment = segment->next_segment)
    std::memcpy(copy->data + at, segment->data, segment->length);
  copy->trim(packet->chain_length);
  copy->flags = packet->flags & (kChecksumPartial | kGso);
  copy->checksum_start = static_cast<std::uint16_t>(copy->offset() + packet->checksum_start - packet->offset());
  copy->checksum_offset = packet->checksum_offset;
  copy->gso_size = packet->gso_size;
  copy->gso_type = packet->gso_type;
  Packet* const one[] = {copy};
  if (fill(one) == 0) {
    errors.add();
    worker.buffers().free(copy);
  } else if (send(worker, one) == 0) {
    worker.buffers().free(copy);
    return false;
  }
  worker.buffers().free(packet);
  return true;
}

std::size_t DpdkTxQueue::transmit(Worker& worker, std::span<Packet* const> packets) noexcept {
  register_thread();
  Lender lender(worker.buffers());
  std::size_t done = 0;
  while (done < packets.size()) {
    const std::size_t filled = fill(packets.subspan(done));
    if (filled == 0) {
      if (!send_odd(worker, packets[done])) break;
      ++done;
      continue;
    }
    const std::size_t gone = send(worker, packets.subspan(done, filled));
    done += gone;
    if (gone == 0) break;
  }
  return done;
}

}  // namespace sluice::dpdk
