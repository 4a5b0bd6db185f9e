// SPDX-License-Identifier: Apache-2.0
// ip6-punt: gives the host what is this node's and no node has registered for; without a host interface the source is
// told that nobody listens. RFC 4443 section 3.1.
#pragma once
#include "ip/punt.h"
#include "sluice/net/icmp.h"
#include "sluice/net/ip6_extensions.h"

namespace sluice {

struct Ip6Punt {
  static constexpr NodeInfo kInfo{"ip6-punt", "gives the host what no node has registered for"};
  enum class Next : std::uint8_t { InterfaceOutput, Ip6IcmpError };
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
    const auto& header = *packet.header<Ip6Header>();
    switch (const PuntTarget& target = ip.punt.read(worker); punt(packet, worker, target, kEthertypeIp6)) {
      case PuntFate::Sent:
        if (trace) *trace = {target.interface, header.next_header};
        return Next::InterfaceOutput;
      case PuntFate::FromHost: return Drop::FromHost;
      case PuntFate::NoHostAddress: return Drop::NoHostAddress;
      case PuntFate::NoHeadroom: return Drop::NoHeadroom;
      case PuntFate::NoHost: break;
    }
    // RFC 8200 section 4: an unknown next header is a parameter problem that points at the byte which names it.
    const Ip6Walk upper = find_upper_layer(packet);
    if (upper.protocol == kIpProtocolUdp || upper.protocol == kIpProtocolTcp) {
      packet.icmp_error = {kIcmp6Unreachable, 4, 0, 0};
    } else {
      packet.icmp_error = {kIcmp6ParameterProblem, 1, 0, upper.next_header_at};
    }
    return Next::Ip6IcmpError;
  }
};

}  // namespace sluice
