// SPDX-License-Identifier: Apache-2.0
// Options of neighbour discovery messages, from any bytes.
#include <cstdlib>

#include "sluice/net/neighbor_options.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto options = sluice::read_neighbor_options({data, size});
  if (options.valid && size % 8 != 0) std::abort();
  if (!options.has_source_link && !(options.source_link == sluice::MacAddress{})) std::abort();
  if (!options.has_target_link && !(options.target_link == sluice::MacAddress{})) std::abort();
  return 0;
}
