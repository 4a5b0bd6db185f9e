// SPDX-License-Identifier: Apache-2.0
// A chain of fresh segments, long enough for the largest packet, that one readv fills: the packet takes the segments it
// filled, the rest serves the next one. For drivers whose system call does not say beforehand how much will come. Data
// path; lives on the stack of one call of RxQueue::receive, so that between two calls no buffers are held.
#pragma once
#include <sluice/packet.h>
#include <sluice/pool.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace sluice {

class ReadChain {
 public:
  /// A packet of 64 KiB with an Ethernet header and two tags.
  static constexpr std::size_t kSegments = 33;

  /// header: where the first header_size bytes of each read go, in front of the packet.
  ReadChain(BufferCache& buffers, void* header, std::size_t header_size) : buffers_(buffers) {
    vectors_[0] = {header, header_size};
    count_ = buffers.alloc(segments_);
    for (std::size_t i = 0; i < count_; ++i) vectors_[i + 1] = {segments_[i]->data, kSegmentSize};
  }
  ~ReadChain() { buffers_.free(std::span<Packet* const>(segments_.data(), count_)); }
  ReadChain(const ReadChain&) = delete;
  ReadChain& operator=(const ReadChain&) = delete;

  /// No buffer is left.
  bool empty() const { return count_ == 0; }
  /// Shorter than it should be, for want of buffers.
  bool short_of_buffers() const { return count_ < kSegments; }
  /// Bytes of packet that a read can take; a packet of this size may have been cut.
  std::size_t capacity() const { return count_ * kSegmentSize; }
  std::span<iovec> vectors() { return {vectors_.data(), count_ + 1}; }

  /// The packet that a read of size bytes (header not counted, 0 < size < capacity()) has filled.
  Packet* take(std::size_t size) noexcept {
    Packet* head = segments_[0];
    head->chain_length = static_cast<std::uint32_t>(size);
    std::size_t used = 0;
    for (Packet* last = nullptr; size > 0; last = segments_[used++]) {
      Packet* segment = segments_[used];
      segment->length = static_cast<std::uint16_t>(std::min(size, kSegmentSize));
      size -= segment->length;
      if (last) last->next_segment = segment;
    }
    refill(used);
    return head;
  }

 private:
  // Puts fresh buffers in the first `used` places, or, when there are none left, the last ones of the chain.
  void refill(std::size_t used) noexcept {
    std::size_t filled = buffers_.alloc(std::span<Packet*>(segments_).subspan(0, used));
    while (filled < used) {
      if (count_ <= used) {
        count_ = filled;
        break;
      }
      segments_[filled++] = segments_[--count_];
    }
    for (std::size_t i = 0; i < std::min(filled, count_); ++i) vectors_[i + 1].iov_base = segments_[i]->data;
  }

  BufferCache& buffers_;
  std::size_t count_ = 0;
  std::array<Packet*, kSegments> segments_;
  std::array<iovec, kSegments + 1> vectors_;
};

}  // namespace sluice
