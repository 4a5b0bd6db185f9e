// SPDX-License-Identifier: Apache-2.0
// A packet in words, from any bytes and any digits.
#include <cstdlib>
#include <string_view>

#include "control/explain_service.h"
#include "control/packet_words.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;  // NOLINT(google-build-using-namespace)
  for (const LinkLayer link : {LinkLayer::Ethernet, LinkLayer::Ip}) {
    if (control::packet_words({data, size}, link).empty()) std::abort();
  }
  const auto bytes = explain::bytes_of({reinterpret_cast<const char*>(data), size});
  if (bytes.ok() && (bytes->empty() || bytes->size() > size / 2)) std::abort();
  if (!bytes.ok() && text(bytes.status()).empty()) std::abort();
  return 0;
}
