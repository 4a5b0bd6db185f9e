// SPDX-License-Identifier: Apache-2.0
// Packets from bytes that lie elsewhere.
#pragma once
#include <sluice/packet.h>
#include <sluice/pool.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

namespace sluice {

/// A packet with these bytes, over as many segments as it takes; null when there are not enough buffers.
inline Packet* packet_with(BufferCache& buffers, std::span<const std::byte> bytes) noexcept {
  Packet* head = buffers.alloc();
  Packet* segment = head;
  for (std::size_t at = 0; segment;) {
    const std::size_t n = std::min(bytes.size() - at, kSegmentSize);
    if (n > 0) std::memcpy(segment->data, bytes.data() + at, n);
    segment->length = static_cast<std::uint16_t>(n);
    at += n;
    if (at == bytes.size()) {
      head->chain_length = static_cast<std::uint32_t>(at);
      return head;
    }
    segment = segment->next_segment = buffers.alloc();
  }
  if (head) buffers.free(head);
  return nullptr;
}

}  // namespace sluice
