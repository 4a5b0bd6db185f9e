// SPDX-License-Identifier: Apache-2.0
// Walks the extension headers of any bytes.
#include <cstdlib>

#include "sluice/net/ip6_extensions.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto walk = sluice::walk_ip6_extensions({data, size});
  if (walk.offset > size || walk.fragment_at > walk.offset) std::abort();
  if (size < sizeof(sluice::Ip6Header)) {
    if (walk.end != sluice::Ip6WalkEnd::Truncated) std::abort();
    return 0;
  }
  if (walk.offset < sizeof(sluice::Ip6Header) || walk.next_header_at >= walk.offset) std::abort();
  if (data[walk.next_header_at] != walk.protocol) std::abort();
  if ((walk.end == sluice::Ip6WalkEnd::Fragment) != (walk.fragment_offset != 0)) {
    // Behind a first header with offset zero there may be another fragment header, then truncated.
    if (walk.end == sluice::Ip6WalkEnd::Fragment) std::abort();
  }
  return 0;
}
