// SPDX-License-Identifier: Apache-2.0
// A packet's flow, from any bytes.
#include <cstdlib>

#include "sluice/net/flow_key.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sluice::FlowKey key, again;
  const bool found = sluice::extract_flow({data, size}, key);
  if (!found && !(key == sluice::FlowKey{})) std::abort();
  if (found && sluice::flow_hash(key) == 0) std::abort();
  if (found && key.is_fragment && (key.source_port || key.destination_port)) std::abort();
  if (key.to_string().empty()) std::abort();
  // Bytes behind the packet's first 1,024 never matter but to extension headers.
  if (size > 1024 && !key.is_ip6) {
    sluice::extract_flow({data, 1024}, again);
    if (!(key == again)) std::abort();
  }
  return 0;
}
