// SPDX-License-Identifier: Apache-2.0
#include "interface/host/tun_queue.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sluice {

// Puts fresh buffers in the places of the first `used`, or, when there are none left, the last ones of the chain.
void TunRxQueue::Spare::refill(BufferCache& buffers, std::size_t used) noexcept {
  const std::size_t got = buffers.alloc(std::span<Packet*>(segments).subspan(0, used));
  std::size_t filled = got;
  while (filled < used) {
    if (count <= used) {
      count = filled;
      break;
    }
    segments[filled++] = segments[--count];
  }
  for (std::size_t i = 0; i < std::min(filled, count); ++i) vectors[i + 1].iov_base = segments[i]->data;
}

Packet* TunRxQueue::assemble(Spare& spare, BufferCache& buffers, std::size_t size) noexcept {
  Packet* head = spare.segments[0];
  head->chain_length = static_cast<std::uint32_t>(size);
  std::size_t used = 0, left = size;
  for (Packet* last = nullptr; left > 0; last = spare.segments[used++]) {
    Packet* segment = spare.segments[used];
    segment->length = static_cast<std::uint16_t>(std::min(left, kSegmentSize));
    left -= segment->length;
    if (last) last->next_segment = segment;
  }
  spare.refill(buffers, used);
  return head;
}

std::size_t TunRxQueue::receive(Worker& worker, std::span<Packet*> packets) noexcept {
  if (lost_) {
    fail(worker, EBADFD);
    return 0;
  }
  BufferCache& buffers = worker.buffers();
  Spare spare;
  spare.count = buffers.alloc(spare.segments);
  spare.vectors[0] = {&header_, sizeof header_};
  for (std::size_t i = 0; i < spare.count; ++i) spare.vectors[i + 1] = {spare.segments[i]->data, kSegmentSize};

  std::size_t n = 0;
  while (n < packets.size()) {
    if (spare.count == 0) {
      drop_waiting();
      break;
    }
    const ssize_t got = readv(fd_, spare.vectors.data(), static_cast<int>(spare.count + 1));
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) fail(worker, errno);
      break;
    }
    if (got <= static_cast<ssize_t>(sizeof header_)) {
      errors.add();
      continue;
    }
    const std::size_t size = static_cast<std::size_t>(got) - sizeof header_;
    // The kernel cuts what does not fit, so a full chain may be a cut packet.
    if (size >= spare.count * kSegmentSize) {
      (spare.count < kSegments ? no_buffers : errors).add();
      continue;
    }
    Packet* packet = assemble(spare, buffers, size);
    if (!apply_vnet_header(header_, *packet)) {
      errors.add();
      buffers.free(packet);
      continue;
    }
    packets[n++] = packet;
  }
  buffers.free(std::span<Packet* const>(spare.segments.data(), spare.count));
  return n;
}

// Without buffers packets are taken and lost here, so that the queue does not stand full of old ones.
void TunRxQueue::drop_waiting() noexcept {
  constexpr int kMost = 4096;
  std::array<std::byte, 64> scrap;
  for (int i = 0; i < kMost && read(fd_, scrap.data(), scrap.size()) > 0; ++i) no_buffers.add();
}

void TunRxQueue::fail(Worker& worker, int error) noexcept {
  // EBADFD: the kernel has taken the device away (deleted, or its namespace is gone). EFAULT: it is doing so now.
  if (error != EBADFD && error != EFAULT && error != ENXIO && error != ENODEV) {
    errors.add();
    return;
  }
  lost_ = true;
  if (!told_) told_ = worker.report(ControlMessage::of(link_.message_kind, link_.device_id));
}

std::size_t TunTxQueue::transmit(Worker& worker, std::span<Packet* const> packets) noexcept {
  std::array<iovec, kVectors> vectors;
  for (const Packet* packet : packets) {
    VnetHeader header = make_vnet_header(*packet);
    vectors[0] = {&header, sizeof header};
    std::size_t count = 1;
    const Packet* segment = packet;
    for (; segment && count < kVectors; segment = segment->next_segment) {
      vectors[count++] = {segment->data, segment->length};
    }
    ssize_t sent = -1;
    if (!segment) {
      do {
        sent = writev(fd_, vectors.data(), static_cast<int>(count));
      } while (sent < 0 && errno == EINTR);
    }
    if (sent < 0) errors.add();
  }
  worker.buffers().free(packets);
  return packets.size();
}

}  // namespace sluice
