// SPDX-License-Identifier: Apache-2.0
// Puts an adjacency's link-layer header in front of a packet.
#pragma once
#include <sluice/forwarding.h>
#include <sluice/packet.h>

#include <cstring>

namespace sluice {

/// The caller has checked headroom() against rewrite_length. Sets tx_interface and l2_offset.
inline void push_rewrite(Packet& packet, const Forwarding& adjacency) noexcept {
  constexpr std::size_t kEthernet = 14;
  packet.l2_offset = static_cast<std::uint16_t>(packet.offset() - adjacency.rewrite_length);
  packet.tx_interface = adjacency.interface;
  if (adjacency.rewrite_length == kEthernet) [[likely]] {
    std::memcpy(packet.push(kEthernet), adjacency.rewrite.data(), kEthernet);
  } else {
    std::memcpy(packet.push(adjacency.rewrite_length), adjacency.rewrite.data(), adjacency.rewrite_length);
  }
}

}  // namespace sluice
