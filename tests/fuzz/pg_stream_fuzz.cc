// SPDX-License-Identifier: Apache-2.0
// Stream descriptions of the packet generator: the first line is the size, the rest the description. What is taken must
// make packets of the lengths that it announces, whose IPv4 header adds up.
#include <cstdlib>
#include <string_view>

#include "pg/template.h"
#include "sluice/net/checksum.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, unsigned long size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto line = std::min(text.find('\n'), text.size());
  const auto rest = line == text.size() ? std::string_view() : text.substr(line + 1);
  const auto made = sluice::pg::parse_stream(rest, text.substr(0, line));
  if (!made.ok()) {
    if (sluice::text(made.status()).empty()) std::abort();
    return 0;
  }
  const auto& packets = **made;
  for (const std::uint64_t number : {0, 1, 2, 1000}) {
    const auto bytes = packets.bytes_of(number);
    if (bytes.size() != packets.sizes[number % packets.sizes.size()].length) std::abort();
    if (packets.l3 == sluice::pg::Template::kNone || packets.ip6) continue;
    if (sluice::checksum_fold(sluice::checksum_add(0, bytes.data() + packets.l3, 20)) != 0xffff) std::abort();
  }
  return 0;
}
