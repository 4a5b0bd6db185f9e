// SPDX-License-Identifier: Apache-2.0
// Copies of a packet's bytes and metadata, for nodes that make several packets of one.
#pragma once
#include <algorithm>
#include <cstring>

#include "sluice/packet.h"

namespace sluice {

/// Copies n bytes from offset (from packet.data) on; the caller has checked that the chain has them.
inline void copy_chain(const Packet& packet, std::size_t offset, std::size_t n, std::byte* to) noexcept {
  for (const Packet* segment = &packet; segment && n; segment = segment->next_segment) {
    if (offset >= segment->length) {
      offset -= segment->length;
      continue;
    }
    const std::size_t here = std::min<std::size_t>(segment->length - offset, n);
    std::memcpy(to, segment->data + offset, here);
    to += here;
    n -= here;
    offset = 0;
  }
}

/// What a fragment inherits: interfaces, table, forwarding, hash, who made it.
inline void copy_metadata(Packet& to, const Packet& from) noexcept {
  to.flags |= from.flags & (kLocal | kBroadcast | kTraceCandidate);
  to.rx_interface = from.rx_interface;
  to.tx_interface = from.tx_interface;
  to.table = from.table;
  to.forwarding = from.forwarding;
  to.flow_hash = from.flow_hash;
  to.l3_offset = to.offset();
}

}  // namespace sluice
