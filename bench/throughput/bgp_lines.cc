// SPDX-License-Identifier: Apache-2.0
// Writes routes like the Internet's (bench/bgp_routes.h) as lines for `sluicectl add routes file`.
//
// usage: bgp_lines COUNT NEXT_HOP... ; routes take the next hops in turn
#include <cstdio>
#include <cstdlib>

#include "bgp_routes.h"

int main(int count, char** words) {
  if (count < 3) {
    std::fprintf(stderr, "usage: bgp_lines COUNT NEXT_HOP...\n");
    return 2;
  }
  std::size_t i = 0;
  for (const auto& prefix : sluice::bench::bgp_prefixes<sluice::Ip4Address>(std::strtoul(words[1], nullptr, 10))) {
    std::printf("%s via %s\n", prefix.to_string().c_str(), words[2 + i++ % static_cast<std::size_t>(count - 2)]);
  }
  return 0;
}
