// SPDX-License-Identifier: Apache-2.0
// Walks the extension headers of any bytes.
#include <cstdlib>

#include "sluice/net/ip6_extensions.h"

namespace {

void check(const std::uint8_t* data, std::size_t size, const sluice::Ip6Walk& walk) {
  if (walk.offset > size || walk.fragment_at > walk.offset) std::abort();
  if (size < sizeof(sluice::Ip6Header)) {
    if (walk.end != sluice::Ip6WalkEnd::Truncated) std::abort();
    return;
  }
  if (walk.offset < sizeof(sluice::Ip6Header) || walk.next_header_at >= walk.offset) std::abort();
  if (data[walk.next_header_at] != walk.protocol) std::abort();
  if (walk.is_fragment && data[walk.fragment_named_at] != sluice::kIpProtocolFragment) std::abort();
  // Behind a first header with offset zero there may be another fragment header, then truncated.
  if (walk.end == sluice::Ip6WalkEnd::Fragment && walk.fragment_offset == 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using sluice::Ip6Authentication;
  const auto over = sluice::walk_ip6_extensions({data, size});
  const auto up_to = sluice::walk_ip6_extensions({data, size}, Ip6Authentication::IsUpperLayer);
  check(data, size, over);
  check(data, size, up_to);
  // Without an authentication header on the way they are the same walk.
  if (up_to.offset > over.offset) std::abort();
  if (up_to.protocol != sluice::kIpProtocolAuthentication && (up_to.offset != over.offset || up_to.end != over.end)) {
    std::abort();
  }
  return 0;
}
