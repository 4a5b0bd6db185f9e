// SPDX-License-Identifier: Apache-2.0
// ICMP errors about any packet that has a header's length: type, code and value come from the input as well.
#include "ip_world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 48 || size > 4096) return 0;
  auto& world = sluice::fuzz::IpWorld::get();
  const sluice::IcmpErrorRequest request{data[1], data[2], 0, std::uint32_t{data[3]} << 24 | data[4]};
  const bool ip6 = data[0] & 2;
  world.give(world.pod, ip6 ? "ip6-icmp-error" : "ip4-icmp-error", {data + 5, size - 5}, data[0] & 1,
             sluice::kSegmentSize, [&](sluice::Packet& packet) { packet.icmp_error = request; });
  world.check();
  return 0;
}
