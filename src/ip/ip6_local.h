// SPDX-License-Identifier: Apache-2.0
// ip6-local: gives packets for this node to whoever registered for them, the rest to the host. RFC 8200 section 4.
#pragma once
#include "ip/deliver.h"
#include "sluice/net/ip6_extensions.h"

namespace sluice {

struct Ip6LocalRules {
  using Header = Ip6Header;
  enum class Next : std::uint8_t { Ip6Icmp, Ip6Reassembly, Ip6Punt, Registered };
  enum class Drop : std::uint8_t { BadExtension, RoutingHeader, NoNextHeader, Truncated, BadUdpLength, BadUdpChecksum };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::BadExtension: return "an extension header is cut off, or there are more than eight";
      case Drop::RoutingHeader: return "a routing header with segments left is refused";
      case Drop::NoNextHeader: return "the packet says that it carries nothing";
      case Drop::Truncated: return "fewer bytes than a UDP header";
      case Drop::BadUdpLength: return "the UDP length is below 8 or beyond the packet";
      case Drop::BadUdpChecksum: return "the UDP checksum is wrong";
    }
    return "";
  }

  static constexpr Next kIcmp = Next::Ip6Icmp, kPunt = Next::Ip6Punt;
  static constexpr std::uint8_t kIcmpProtocol = kIpProtocolIcmp6;
  static const LocalTable::Family& family_of(const LocalTable& local) noexcept { return local.ip6; }
};

struct Ip6Local : Deliver<Ip6LocalRules> {
  static constexpr NodeInfo kInfo{"ip6-local", "gives packets for this node to whoever registered for them"};
  using Deliver::Deliver;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    const Ip6Walk upper = find_upper_layer(packet);
    if (trace) *trace = {packet.header<Ip6Header>()->source, upper.protocol, 0};
    if (!upper.whole()) return Drop::BadExtension;
    if (upper.is_fragment) return Next::Ip6Reassembly;
    // RFC 5095 for type 0; no other type is spoken here (RFC 8200 section 4.4).
    if (upper.routing_segments_left) return Drop::RoutingHeader;
    if (upper.protocol == kIpProtocolNoNextHeader) return Drop::NoNextHeader;
    return deliver(packet, upper.protocol, upper.offset, worker, trace);
  }
};

}  // namespace sluice
