// SPDX-License-Identifier: Apache-2.0
// Options of neighbour discovery messages. RFC 4861 section 4.6:
//
//   |     type      |    length     |  length in units of 8 bytes, this header included
#pragma once
#include <sluice/net/address.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice {

inline constexpr std::uint8_t kNeighborOptionSourceLink = 1, kNeighborOptionTargetLink = 2;
inline constexpr std::uint8_t kNeighborOptionPrefix = 3, kNeighborOptionRedirected = 4, kNeighborOptionMtu = 5;

/// What a message's options say that an Ethernet neighbour needs. The last of a kind holds.
struct NeighborOptions {
  /// All lengths were right. RFC 4861 section 4.6: a message with an option of length zero is discarded.
  bool valid = false;
  bool has_source_link = false, has_target_link = false;
  MacAddress source_link{}, target_link{};
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
      case kNeighborOptionSourceLink:
        std::memcpy(options.source_link.bytes.data(), &bytes[2], 6);
        options.has_source_link = true;
        break;
      case kNeighborOptionTargetLink:
        std::memcpy(options.target_link.bytes.data(), &bytes[2], 6);
        options.has_target_link = true;
        break;
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
