// SPDX-License-Identifier: Apache-2.0
// A chain of free segments, long enough for the largest packet, that one readv fills: the packet takes the segments it
// has filled, the rest were never taken. For drivers whose system call does not say beforehand how much will come. Data
// path; a driver's queue may keep one, or have it on its stack: it holds no buffers.
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
  static_assert(kSegments <= BufferCache::kPeekMax);

  /// header: where the first header_size bytes of each read go, in front of the packet.
  ReadChain(BufferCache& buffers, void* header, std::size_t header_size) : buffers_(buffers) {
    vectors_[0] = {header, header_size};
  }
  ReadChain(const ReadChain&) = delete;
  ReadChain& operator=(const ReadChain&) = delete;

  /// Looks for buffers and makes a list of them. To be asked for before each read, and after whatever else allocates or
  /// frees buffers. Of one entry: no buffer is left.
  std::span<iovec> vectors() noexcept {
    segments_ = buffers_.peek(kSegments);
    const std::size_t count = segments_.size();
    for (std::size_t i = 0; i < count; ++i)
      vectors_[i + 1] = {segments_[count - 1 - i]->storage() + kHeadroom, kSegmentSize};
    return {vectors_.data(), count + 1};
  }
  /// Shorter than it should be, for want of buffers.
  bool short_of_buffers() const { return segments_.size() < kSegments; }
  /// Bytes of packet that a read can take; a packet of this size may have been cut.
  std::size_t capacity() const { return segments_.size() * kSegmentSize; }

  /// The packet that a read of size bytes (header not counted, 0 < size < capacity()) has filled.
  Packet* take(std::size_t size) noexcept {
    const std::size_t used = (size + kSegmentSize - 1) / kSegmentSize;
    buffers_.take_peeked(used);
    Packet* const* segment = segments_.data() + segments_.size();
    Packet* const head = *--segment;
    head->reset();
    head->chain_length = static_cast<std::uint32_t>(size);
    Packet* last = head;
    for (std::size_t left = used - 1; left > 0; --left) {
      last->length = kSegmentSize;
      size -= kSegmentSize;
      last->next_segment = *--segment;
      last = *segment;
      begin(*last);
    }
    last->length = static_cast<std::uint16_t>(size);
    return head;
  }

 private:
  // What counts of a segment behind the head, all in one cache line.
  static void begin(Packet& segment) noexcept {
    segment.data = segment.storage() + kHeadroom;
    segment.chain_length = 0;
    segment.flags = 0;
    segment.next_segment = nullptr;
  }

  BufferCache& buffers_;
  std::span<Packet* const> segments_;
  std::array<iovec, kSegments + 1> vectors_;
};

}  // namespace sluice
