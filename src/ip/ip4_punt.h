// SPDX-License-Identifier: Apache-2.0
// ip4-punt: gives the host what no node has registered for. RFC 1122 section 3.2.2.1.
#pragma once
#include "ip/punt.h"
#include "sluice/net/ip4.h"

namespace sluice {

struct Ip4PuntRules {
  enum class Next : std::uint8_t { InterfaceOutput, Ip4IcmpError };
  static constexpr Next kIcmpError = Next::Ip4IcmpError;
  static constexpr std::uint16_t kEthertype = kEthertypeIp4;

  static std::uint8_t protocol_of(const Packet& packet) noexcept { return packet.header<Ip4Header>()->protocol; }
  static IcmpErrorRequest nobody_listens(const Packet& packet) noexcept {
    const bool port = protocol_of(packet) == kIpProtocolUdp;
    return {kIcmpUnreachable, static_cast<std::uint8_t>(port ? 3 : 2), 0, 0};
  }
};

struct Ip4Punt : Punt<Ip4PuntRules> {
  static constexpr NodeInfo kInfo{"ip4-punt", "gives the host what no node has registered for"};
  using Punt::Punt;
};

}  // namespace sluice
