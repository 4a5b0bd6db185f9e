// SPDX-License-Identifier: Apache-2.0
#include "interface/host/tun_queue.h"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace sluice {

std::size_t TunRxQueue::receive(Worker& worker, std::span<Packet*> packets) noexcept {
  more = false;
  if (lost_) {
    fail(worker, EBADFD);
    return 0;
  }
  ReadChain chain(worker.buffers(), &header_, sizeof header_);
  std::size_t n = 0, bytes = 0;
  // A far side that sends what is refused as fast as it can must not keep the worker here.
  for (std::size_t reads = 0; n < packets.size() && bytes < kMostBytes; ++reads) {
    more = reads == kMostReads;
    if (more) break;
    const auto vectors = chain.vectors();
    if (vectors.size() == 1) {
      more = drop_waiting();
      break;
    }
    const ssize_t got =
        worker.system_call([&] { return readv(fd_, vectors.data(), static_cast<int>(vectors.size())); });
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
    if (size >= chain.capacity()) {
      (chain.short_of_buffers() ? no_buffers : errors).add();
      continue;
    }
    Packet* packet = chain.take(size);
    if (!apply_vnet_header(header_, *packet)) {
      errors.add();
      worker.buffers().free(packet);
      continue;
    }
    packets[n++] = packet;
    bytes += size;
  }
  return n;
}

// Without buffers packets are taken and lost here, so that the queue does not stand full of old ones.
// True: others wait.
bool TunRxQueue::drop_waiting() noexcept {
  std::array<std::byte, 64> scrap;
  for (std::size_t i = 0; i < kMostReads; ++i) {
    if (read(fd_, scrap.data(), scrap.size()) <= 0) return false;
    no_buffers.add();
  }
  return true;
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
  std::array<Packet*, kVectors> segments;
  for (Packet* packet : packets) {
    VnetHeader header = make_vnet_header(*packet);
    vectors[0] = {&header, sizeof header};
    std::size_t count = 0;
    Packet* segment = packet;
    for (; segment && count + 1 < kVectors; segment = segment->next_segment) {
      segments[count++] = segment;
      vectors[count] = {segment->data, segment->length};
    }
    if (segment) {
      errors.add();
      worker.buffers().free(packet);
      continue;
    }
    const ssize_t sent = worker.system_call([&] {
      ssize_t done = -1;
      do {
        done = writev(fd_, vectors.data(), static_cast<int>(count + 1));
      } while (done < 0 && errno == EINTR);
      return done;
    });
    if (sent < 0) errors.add();
    // The kernel has read a super-packet through the caches: its segments are fetched anew, not one by one along the
    // chain but all at once.
    worker.buffers().free_segments(std::span<Packet* const>(segments.data(), count));
  }
  return packets.size();
}

}  // namespace sluice
