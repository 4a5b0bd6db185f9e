// SPDX-License-Identifier: Apache-2.0
// Any bytes as IPv4 from a pod, through the whole graph. The first byte chooses segment size and tracing.
#include "ip_world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 4096) return 0;
  auto& world = sluice::fuzz::IpWorld::get();
  const std::size_t segment = data[0] & 2 ? 64 : sluice::kSegmentSize;
  world.give(world.pod, "ip4-input", {data + 1, size - 1}, data[0] & 1, segment);
  world.check();
  return 0;
}
