// SPDX-License-Identifier: Apache-2.0
// The first packet of a flow, as its sender would make it: extract_flow() turned round.
#pragma once
#include <cstdint>
#include <vector>

#include "sluice/net/flow_key.h"
#include "sluice/status.h"

namespace sluice {

struct FlowPacketOptions {
  std::uint8_t ttl = 64;     ///< or hop limit
  std::uint32_t length = 0;  ///< of the IP packet, in bytes; 0: headers only
  bool dont_fragment = false;
};

/// From the IP header on: TCP's SYN, a UDP datagram, an echo request, SCTP's header, else nothing behind IP's; then
/// zeros, up to the length. Errors: the length is below the headers' or beyond what fits one packet; IPv6 has no
/// don't-fragment bit.
SLUICE_API StatusOr<std::vector<std::uint8_t>> make_flow_packet(const FlowKey& key, const FlowPacketOptions& options);

}  // namespace sluice
