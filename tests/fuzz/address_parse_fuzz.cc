// SPDX-License-Identifier: Apache-2.0
// Addresses and prefixes from any text; what is read and written is read as the same again.
#include <cstdlib>

#include "sluice/net/address.h"

namespace {

template <class T>
void check(std::string_view text) {
  const auto first = T::parse(text);
  if (!first.ok()) {
    if (sluice::text(first.status()).empty()) std::abort();
    return;
  }
  const auto second = T::parse(first->to_string());
  if (!second.ok() || !(*second == *first)) std::abort();
  if (std::hash<T>{}(*first) != std::hash<T>{}(*second)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check<sluice::MacAddress>(text);
  check<sluice::Ip4Address>(text);
  check<sluice::Ip6Address>(text);
  check<sluice::IpAddress>(text);
  check<sluice::Prefix4>(text);
  check<sluice::Prefix6>(text);
  check<sluice::IpPrefix>(text);
  return 0;
}
