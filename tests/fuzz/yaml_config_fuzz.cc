// SPDX-License-Identifier: Apache-2.0
// The configuration file: any text gives a configuration or an error that says something.
#include <cstdlib>

#include "control/configuration.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto c = sluice::Configuration::parse({reinterpret_cast<const char*>(data), size}, "f");
  if (!c.ok() && sluice::text(c.status()).empty()) std::abort();
  return 0;
}
