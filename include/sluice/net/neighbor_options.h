// SPDX-License-Identifier: Apache-2.0
// Options of neighbour discovery messages. RFC 4861 section 4.6:
//
//   |     type      |    length     |  length in units of 8 bytes, this header included
#pragma once
#include <sluice/net/address.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace sluice {

/// RFC 4861 section 4.6.1.
struct LinkAddressOption {
  static constexpr std::uint8_t kSource = 1, kTarget = 2;
  std::uint8_t type, length;  ///< length in units of 8 bytes
  MacAddress mac;
};
static_assert(sizeof(LinkAddressOption) == 8);

inline constexpr std::uint8_t kNeighborOptionMtu = 5;

/// What a message's options say that an Ethernet neighbour needs. The last of a kind holds.
struct NeighborOptions {
  /// All lengths were right. RFC 4861 section 4.6: a message with an option of length zero is discarded.
  bool valid = false;
  std::optional<MacAddress> source_link, target_link;
  std::uint32_t mtu = 0;  ///< 0: not said
};

/// bytes: all that follows the fixed part of the message. Bounded work for any bytes.
inline NeighborOptions read_neighbor_options(std::span<const std::uint8_t> bytes) noexcept {
  NeighborOptions options;
  while (!bytes.empty()) {
    if (bytes.size() < 2 || bytes[1] == 0) return options;
    const std::size_t size = std::size_t{bytes[1]} * 8;
    if (size > bytes.size()) return options;
    switch (bytes[0]) {
      case LinkAddressOption::kSource:
      case LinkAddressOption::kTarget: {
        LinkAddressOption link;
        std::memcpy(&link, bytes.data(), sizeof link);
        (link.type == LinkAddressOption::kSource ? options.source_link : options.target_link) = link.mac;
        break;
      }
      case kNeighborOptionMtu: {
        be32 mtu;
        std::memcpy(&mtu, &bytes[4], sizeof mtu);
        options.mtu = mtu.host();
        break;
      }
      default: break;  // ignored: RFC 4861 section 4.6
    }
    bytes = bytes.subspan(size);
  }
  options.valid = true;
  return options;
}

}  // namespace sluice
