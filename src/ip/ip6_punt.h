// SPDX-License-Identifier: Apache-2.0
// ip6-punt: gives the host what no node has registered for. RFC 4443 section 3.1.
#pragma once
#include "ip/punt.h"
#include "sluice/net/ip6_extensions.h"

namespace sluice {

struct Ip6PuntRules {
  enum class Next : std::uint8_t { InterfaceOutput, Ip6IcmpError };
  static constexpr Next kIcmpError = Next::Ip6IcmpError;
  static constexpr std::uint16_t kEthertype = kEthertypeIp6;

  static std::uint8_t protocol_of(const Packet& packet) noexcept { return packet.header<Ip6Header>()->next_header; }
  // RFC 8200 section 4: an unknown next header is a parameter problem that points at the byte which names it.
  static IcmpErrorRequest nobody_listens(const Packet& packet) noexcept {
    const Ip6Walk upper = find_upper_layer(packet);
    const bool port = upper.protocol == kIpProtocolUdp || upper.protocol == kIpProtocolTcp;
    if (port) return {kIcmp6Unreachable, 4, 0, 0};
    return {kIcmp6ParameterProblem, 1, 0, upper.next_header_at};
  }
};

struct Ip6Punt : Punt<Ip6PuntRules> {
  static constexpr NodeInfo kInfo{"ip6-punt", "gives the host what no node has registered for"};
  using Punt::Punt;
};

}  // namespace sluice
