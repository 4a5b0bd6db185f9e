// SPDX-License-Identifier: Apache-2.0
// Makes a packet end where its header says it does.
#pragma once
#include <sluice/packet.h>
#include <sluice/worker.h>

namespace sluice {

/// Cuts a packet to its first n bytes (n <= chain_length), giving back segments that hold nothing any more: link-layer
/// padding. For packets that just came in: none of their segments is shared yet.
inline void cut_chain(Packet& packet, std::uint32_t n, Worker& worker) noexcept {
  if (!packet.next_segment) [[likely]] {
    packet.trim(n);
    return;
  }
  std::uint32_t left = n;
  Packet* segment = &packet;
  while (segment->next_segment && left > segment->length) {
    left -= segment->length;
    segment = segment->next_segment;
  }
  if (left < segment->length) segment->length = static_cast<std::uint16_t>(left);
  packet.chain_length = n;
  Packet* rest = segment->next_segment;
  segment->next_segment = nullptr;
  if (rest) worker.buffers().free(rest);
}

}  // namespace sluice
