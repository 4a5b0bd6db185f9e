// SPDX-License-Identifier: Apache-2.0
// Sums of any bytes against RFC 1071's own way, and partial checksums with any start and offset.
#include <cstdlib>
#include <vector>

#include "sluice/net/checksum.h"

namespace {

std::uint16_t by_the_book(const std::uint8_t* data, std::size_t size) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < size; ++i) {
    sum += i % 2 ? std::uint32_t{data[i]} << 8 : data[i];
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(sum);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  // 0 and 0xffff are the same number.
  const auto same = [](std::uint16_t a, std::uint16_t b) { return a % 0xffff == b % 0xffff; };
  if (!same(checksum_fold(checksum_add(0, data, size)), by_the_book(data, size))) std::abort();
  if (size < 4) return 0;
  const std::size_t start = std::size_t{data[0]} << 8 | data[1], offset = std::size_t{data[2]} << 8 | data[3];
  std::vector<std::uint8_t> packet(data + 4, data + size);
  const auto before = packet;
  const bool fits = start + offset + 2 <= packet.size();
  if (checksum_complete_partial(packet, start, offset) != fits) std::abort();
  if (!fits) {
    if (packet != before) std::abort();
    return 0;
  }
  if (offset % 2) return 0;
  // With the old field in the pseudo header's place, what was completed verifies.
  std::uint16_t pseudo;
  std::memcpy(&pseudo, &before[start + offset], 2);
  if (by_the_book(&packet[start], packet.size() - start) == 0 && pseudo != 0) std::abort();
  if (!same(checksum_fold(checksum_add(pseudo, &packet[start], packet.size() - start)), 0)) std::abort();
  return 0;
}
