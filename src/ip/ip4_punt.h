// SPDX-License-Identifier: Apache-2.0
// ip4-punt: gives the host what is this node's and no node has registered for; without a host interface the source is
// told that nobody listens. RFC 1122 section 3.2.2.1.
#pragma once
#include "ip/punt.h"
#include "sluice/net/icmp.h"

namespace sluice {

struct Ip4Punt {
  static constexpr NodeInfo kInfo{"ip4-punt", "gives the host what no node has registered for"};
  enum class Next : std::uint8_t { InterfaceOutput, Ip4IcmpError };
  enum class Drop : std::uint8_t { FromHost, NoHostAddress, NoHeadroom };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex interface;
    std::uint8_t protocol;
    void describe(auto&& field) const {
      field("interface", interface);
      field("protocol", protocol);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::FromHost: return "the host sent it to this node itself; giving it back would make a loop";
      case Drop::NoHostAddress: return "the host's link-layer address is not known yet";
      case Drop::NoHeadroom: return "no room in front of the packet for the link-layer header";
    }
    return "";
  }

  const IpState& ip;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    const auto& header = *packet.header<Ip4Header>();
    switch (const PuntTarget& target = ip.punt.read(worker); punt(packet, worker, target, kEthertypeIp4)) {
      case PuntFate::Sent:
        if (trace) *trace = {target.interface, header.protocol};
        return Next::InterfaceOutput;
      case PuntFate::FromHost: return Drop::FromHost;
      case PuntFate::NoHostAddress: return Drop::NoHostAddress;
      case PuntFate::NoHeadroom: return Drop::NoHeadroom;
      case PuntFate::NoHost: break;
    }
    const bool udp = header.protocol == kIpProtocolUdp;
    packet.icmp_error = {kIcmpUnreachable, static_cast<std::uint8_t>(udp ? 3 : 2), 0, 0};
    return Next::Ip4IcmpError;
  }
};

}  // namespace sluice
