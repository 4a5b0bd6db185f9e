// SPDX-License-Identifier: Apache-2.0
// UDP on the wire. RFC 768.
#pragma once
#include <sluice/net/endian.h>

namespace sluice {

struct UdpHeader {
  be16 source, destination, length, checksum;
};
static_assert(sizeof(UdpHeader) == 8 && alignof(UdpHeader) == 1);

}  // namespace sluice
