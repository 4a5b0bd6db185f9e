// SPDX-License-Identifier: Apache-2.0
// Options of neighbour discovery messages, from any bytes.
#include <cstdlib>
#include <cstring>

#include "sluice/net/neighbor_options.h"

namespace {

// Options begin at multiples of eight.
bool stands_there(const std::uint8_t* data, std::size_t size, std::uint8_t type, const sluice::MacAddress& mac) {
  for (std::size_t at = 0; at + 8 <= size; at += 8) {
    if (data[at] == type && std::memcmp(data + at + 2, &mac, sizeof mac) == 0) return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto options = sluice::read_neighbor_options({data, size});
  if (options.valid && size % 8 != 0) std::abort();
  if (options.source_link && !stands_there(data, size, 1, *options.source_link)) std::abort();
  if (options.target_link && !stands_there(data, size, 2, *options.target_link)) std::abort();
  return 0;
}
