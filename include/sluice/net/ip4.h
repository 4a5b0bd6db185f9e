// SPDX-License-Identifier: Apache-2.0
// IPv4 on the wire. RFC 791.
#pragma once
#include <sluice/net/address.h>
#include <sluice/net/protocol.h>

namespace sluice {

struct Ip4Header {
  static constexpr std::uint16_t kDontFragment = 0x4000, kMoreFragments = 0x2000, kOffsetMask = 0x1fff;

  std::uint8_t version_ihl, tos;
  be16 total_length, id;
  be16 fragment;  ///< DF, MF, and the offset in units of 8 bytes
  std::uint8_t ttl, protocol;
  be16 checksum;
  Ip4Address source, destination;

  /// With options, in bytes.
  std::size_t header_length() const { return std::size_t{version_ihl & 15u} * 4; }
  bool is_fragment() const { return (fragment.host() & (kMoreFragments | kOffsetMask)) != 0; }
};
static_assert(sizeof(Ip4Header) == 20 && alignof(Ip4Header) == 1);

}  // namespace sluice
