// SPDX-License-Identifier: Apache-2.0
#include "queue.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace sluice::af_xdp {
namespace {

constexpr std::uint32_t kContinues = 1;  // XDP_PKT_CONTD, newer than Debian 12's headers
constexpr std::size_t kShortest = 14;    // an Ethernet header: the kernel keeps the buffer of a descriptor it refuses
constexpr std::size_t kAhead = 4;        // descriptors whose packets are fetched early

}  // namespace

XdpRxQueue::~XdpRxQueue() {
  if (!head_) return;
  BufferCache buffers(pool_);
  buffers.free(head_);
}

// The packet of a descriptor; null when it is none that the kernel was lent.
Packet* XdpRxQueue::take(const xdp_desc& descriptor) noexcept {
  // With unaligned chunks the offset in the chunk stands in the upper bits.
  const std::uint64_t chunk = xsk_umem__extract_addr(descriptor.addr);
  const std::size_t buffer = socket_->buffer_of(chunk);
  if (!socket_->lent_to_receive.take(buffer)) [[unlikely]] {
    errors.add();
    return nullptr;
  }
  Packet* packet = socket_->packet(buffer);
  packet->data = socket_->at(chunk + xsk_umem__extract_offset(descriptor.addr));
  packet->length = static_cast<std::uint16_t>(descriptor.len);
  packet->chain_length = descriptor.len;
  return packet;
}

// A part of a frame of several buffers; the whole frame with its last part. One that is too long is thrown away.
Packet* XdpRxQueue::append(Worker& worker, Packet* segment, bool last) noexcept {
  if (!head_) {
    head_ = segment;
  } else if (segments_ < kMostSegments) {
    tail_->next_segment = segment;
    head_->chain_length += segment->length;
  } else {
    worker.buffers().free(segment);
    segment = tail_;
  }
  tail_ = segment;
  ++segments_;
  if (!last) return nullptr;
  Packet* whole = head_;
  if (segments_ > kMostSegments) {
    errors.add();
    worker.buffers().free(head_);
    whole = nullptr;
  }
  head_ = tail_ = nullptr;
  segments_ = 0;
  return whole;
}

// Lends buffers; a driver that sleeps because it had none is told at once, as the worker may sleep until it wakes up.
bool XdpRxQueue::supply(Worker& worker) noexcept {
  const std::size_t before = socket_->lent_to_receive.count();
  const bool supplied = socket_->refill(worker.buffers());
  if (socket_->lent_to_receive.count() > before && socket_->receiver_sleeps()) [[unlikely]]
    socket_->wake_receiver();
  return supplied;
}

std::size_t XdpRxQueue::receive(Worker& worker, std::span<Packet*> packets) noexcept {
  Socket& socket = *socket_;
  std::uint32_t index = 0;
  auto n = xsk_ring_cons__peek(&socket.rx, static_cast<std::uint32_t>(packets.size()), &index);
  bool supplied = true;
  if (n == 0) {
    supplied = socket.refill(worker.buffers());
    socket.wake_receiver();
    n = xsk_ring_cons__peek(&socket.rx, static_cast<std::uint32_t>(packets.size()), &index);
  }
  const auto descriptor = [&](std::uint32_t i) -> const xdp_desc& {
    return *xsk_ring_cons__rx_desc(&socket.rx, index + i);
  };
  const auto prefetch = [&](std::uint32_t i) {
    const auto buffer = socket.buffer_of(xsk_umem__extract_addr(descriptor(i).addr));
    if (buffer < socket.buffers()) [[likely]]
      __builtin_prefetch(socket.packet(buffer), 1);
  };
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(n, kAhead); ++i) prefetch(i);
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    if (i + kAhead < n) prefetch(i + kAhead);
    const xdp_desc& each = descriptor(i);
    Packet* packet = take(each);
    if (!packet) [[unlikely]]
      continue;
    if (head_ || (each.options & kContinues)) [[unlikely]]
      packet = append(worker, packet, !(each.options & kContinues));
    if (packet) packets[count++] = packet;
  }
  if (n > 0) {
    xsk_ring_cons__release(&socket.rx, n);
    supplied = supply(worker);
  }
  more = !supplied || (count == 0 && n > 0);
  return count;
}

// How many descriptors it takes; 0: it has to be copied first.
std::size_t XdpTxQueue::segments_of(const Packet& packet) const noexcept {
  if (packet.length < kShortest || !socket_->holds(packet)) [[unlikely]]
    return 0;
  if (!packet.next_segment) [[likely]]
    return 1;
  std::size_t n = 0;
  for (const Packet* s = &packet; s; s = s->next_segment) {
    // The kernel may have a buffer once only, and an empty descriptor is an error to it.
    if (++n > most_segments_ || s->has(kShared) || s->length == 0 || !socket_->holds(*s)) return 0;
  }
  return n;
}

// The same bytes in as few buffers as can hold them; null when the kernel takes no frame as long, or there are none.
Packet* XdpTxQueue::copy(Worker& worker, const Packet& packet) const noexcept {
  std::array<Packet*, kMostSegments> segments;
  const std::size_t wanted = (packet.chain_length + kSegmentSize - 1) / kSegmentSize;
  if (packet.chain_length < kShortest || wanted > most_segments_) return nullptr;
  const std::size_t got = worker.buffers().alloc(std::span(segments).subspan(0, wanted));
  if (got < wanted) {
    worker.buffers().free(std::span<Packet* const>(segments.data(), got));
    return nullptr;
  }
  std::size_t at = 0;
  for (const Packet* s = &packet; s; s = s->next_segment) {
    for (std::size_t from = 0; from < s->length;) {
      Packet& to = *segments[at];
      const std::size_t n = std::min<std::size_t>(s->length - from, kSegmentSize - to.length);
      std::memcpy(to.data + to.length, s->data + from, n);
      to.length = static_cast<std::uint16_t>(to.length + n);
      from += n;
      if (to.length == kSegmentSize && at + 1 < wanted) ++at;
    }
  }
  for (std::size_t i = 0; i + 1 < wanted; ++i) segments[i]->next_segment = segments[i + 1];
  segments[0]->chain_length = packet.chain_length;
  return segments[0];
}

// Each segment is the kernel's on its own: completions name them one by one.
void XdpTxQueue::put(std::uint32_t index, Packet& packet) noexcept {
  for (Packet* segment = &packet; segment;) {
    Packet* next = segment->next_segment;
    xdp_desc& descriptor = *xsk_ring_prod__tx_desc(&socket_->tx, index++);
    descriptor.addr = socket_->address_of(segment->data);
    descriptor.len = segment->length;
    descriptor.options = next ? kContinues : 0;
    socket_->lent_to_send.add(socket_->buffer_of(descriptor.addr));
    segment->next_segment = nullptr;
    segment = next;
  }
}

std::size_t XdpTxQueue::transmit(Worker& worker, std::span<Packet* const> packets) noexcept {
  Socket& socket = *socket_;
  socket.reap(worker.buffers());
  std::size_t done = 0;
  std::uint32_t written = 0;
  for (; done < packets.size(); ++done) {
    Packet* packet = packets[done];
    std::size_t n = segments_of(*packet);
    if (n == 0) [[unlikely]] {
      Packet* copied = copy(worker, *packet);
      worker.buffers().free(packet);
      if (!copied) {
        errors.add();
        continue;
      }
      packet = copied;
      n = segments_of(*packet);
    }
    std::uint32_t index = 0;
    if (socket.lent_to_send.count() + n > socket.options().ring ||
        xsk_ring_prod__reserve(&socket.tx, static_cast<std::uint32_t>(n), &index) == 0) {
      if (packet == packets[done]) break;
      errors.add();
      worker.buffers().free(packet);
      continue;
    }
    put(index, *packet);
    written += static_cast<std::uint32_t>(n);
  }
  if (written > 0) xsk_ring_prod__submit(&socket.tx, written);
  if (socket.has_unsent()) {
    errors.add(socket.kick());
    socket.reap(worker.buffers());
  }
  return done;
}

}  // namespace sluice::af_xdp
