// SPDX-License-Identifier: Apache-2.0
// ICMP, ICMPv6 and neighbour discovery on the wire. RFC 792, 4443, 4861.
#pragma once
#include <sluice/net/address.h>

namespace sluice {

/// Both families. What id and sequence mean depends on the type: an MTU, a pointer, nothing.
struct IcmpHeader {
  std::uint8_t type, code;
  be16 checksum, id, sequence;
};

/// Neighbour solicitation and advertisement, behind the first four bytes of an ICMPv6 header.
struct NeighborMessage {
  std::uint8_t type, code;
  be16 checksum;
  be32 flags;  ///< of an advertisement: router, solicited, override in the top bits
  Ip6Address target;
};

inline constexpr std::uint8_t kIcmpEchoReply = 0, kIcmpUnreachable = 3, kIcmpRedirect = 5, kIcmpEcho = 8;
inline constexpr std::uint8_t kIcmpTimeExceeded = 11, kIcmpParameterProblem = 12;
inline constexpr std::uint8_t kIcmp6Unreachable = 1, kIcmp6PacketTooBig = 2, kIcmp6TimeExceeded = 3;
inline constexpr std::uint8_t kIcmp6ParameterProblem = 4, kIcmp6Echo = 128, kIcmp6EchoReply = 129;
inline constexpr std::uint8_t kIcmp6RouterSolicitation = 133, kIcmp6RouterAdvertisement = 134;
inline constexpr std::uint8_t kIcmp6NeighborSolicitation = 135, kIcmp6NeighborAdvertisement = 136;
inline constexpr std::uint8_t kIcmp6Redirect = 137;

static_assert(sizeof(IcmpHeader) == 8 && sizeof(NeighborMessage) == 24 && alignof(NeighborMessage) == 1);

}  // namespace sluice
