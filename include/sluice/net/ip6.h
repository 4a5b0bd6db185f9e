// SPDX-License-Identifier: Apache-2.0
// IPv6 on the wire. RFC 8200.
#pragma once
#include <sluice/net/address.h>
#include <sluice/net/protocol.h>

#include <cstring>

namespace sluice {

struct Ip6Header {
  be32 version_class_flow;  ///< 4, 8 and 20 bits
  be16 payload_length;
  std::uint8_t next_header, hop_limit;
  Ip6Address source, destination;
};
static_assert(sizeof(Ip6Header) == 40 && alignof(Ip6Header) == 1);

/// RFC 8200 section 4.5.
struct Ip6FragmentHeader {
  std::uint8_t next_header, reserved;
  be16 offset_more;  ///< offset in the upper 13 bits (units of 8 bytes), M in the lowest
  be32 id;
};
static_assert(sizeof(Ip6FragmentHeader) == 8);

}  // namespace sluice
