// SPDX-License-Identifier: Apache-2.0
#include "queue.h"

#include <sluice/clock.h>

#include <algorithm>
#include <cstring>

namespace sluice::pcap {
namespace {

// A chain with these bytes, or null when there are not enough buffers.
Packet* make(BufferCache& buffers, const std::byte* bytes, std::size_t size) noexcept {
  Packet* head = buffers.alloc();
  if (!head) return nullptr;
  head->chain_length = static_cast<std::uint32_t>(size);
  for (Packet* segment = head;; segment = segment->next_segment) {
    const std::size_t here = std::min(size, kSegmentSize);
    std::memcpy(segment->data, bytes, here);
    segment->length = static_cast<std::uint16_t>(here);
    bytes += here;
    size -= here;
    if (size == 0) return head;
    segment->next_segment = buffers.alloc();
    if (!segment->next_segment) {
      buffers.free(head);
      return nullptr;
    }
  }
}

}  // namespace

std::size_t PcapRxQueue::receive(Worker& worker, std::span<Packet*> packets) noexcept {
  Replay& replay = *replay_;
  const Capture& capture = replay.capture;
  const std::size_t most = std::min<std::uint64_t>(packets.size(), replay.left);
  const std::size_t due = replay.pacer.due(tsc_to_ns(worker.now()), most);
  std::size_t n = 0;
  for (std::size_t i = 0; i < due; ++i) {
    const auto [offset, length] = capture.packets[replay.next];
    replay.next = (replay.next + 1) % capture.packets.size();
    Packet* packet = make(worker.buffers(), capture.bytes.data() + offset, length);
    if (packet) {
      packets[n++] = packet;
    } else {
      no_buffers.add();
    }
  }
  replay.left -= due;
  more = n < due;  // a file without a rate has one event only
  return n;
}

std::size_t PcapTxQueue::transmit(Worker& worker, std::span<Packet* const> packets) noexcept {
  const std::uint64_t now = writer_ ? wall_ns() : 0;
  for (const Packet* packet : packets) {
    if (!writer_) break;
    if (packet->chain_length > flat_.size()) {
      errors.add();
      continue;
    }
    std::size_t size = 0;
    for (const Packet* s = packet; s; s = s->next_segment) {
      std::memcpy(flat_.data() + size, s->data, s->length);
      size += s->length;
    }
    writer_->write(now, std::span(flat_.data(), size));
  }
  // Whoever reads the file sees what was sent, and not only the part that filled a buffer.
  if (writer_ && !writer_->flush()) errors.add();
  worker.buffers().free(packets);
  return packets.size();
}

}  // namespace sluice::pcap
