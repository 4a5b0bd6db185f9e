// SPDX-License-Identifier: Apache-2.0
// ip4-local: gives packets for this node to whoever registered for them, the rest to the host. RFC 1122 sections 3.2.1
// and 4.1.
#pragma once
#include "ip/deliver.h"
#include "sluice/net/ip4.h"

namespace sluice {

struct Ip4LocalRules {
  using Header = Ip4Header;
  enum class Next : std::uint8_t { Ip4Icmp, Ip4Reassembly, Ip4Punt, Registered };
  enum class Drop : std::uint8_t { Truncated, BadUdpLength, BadUdpChecksum };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::Truncated: return "fewer bytes than a UDP header";
      case Drop::BadUdpLength: return "the UDP length is below 8 or beyond the packet";
      case Drop::BadUdpChecksum: return "the UDP checksum is wrong";
    }
    return "";
  }

  static constexpr Next kIcmp = Next::Ip4Icmp, kPunt = Next::Ip4Punt;
  static constexpr std::uint8_t kIcmpProtocol = kIpProtocolIcmp;
  static const LocalTable::Family& family_of(const LocalTable& local) noexcept { return local.ip4; }
};

struct Ip4Local : Deliver<Ip4LocalRules> {
  static constexpr NodeInfo kInfo{"ip4-local", "gives packets for this node to whoever registered for them"};
  using Deliver::Deliver;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    const auto& header = *packet.header<Ip4Header>();
    if (trace) *trace = {header.source, header.protocol, 0};
    if (header.is_fragment()) return Next::Ip4Reassembly;
    return deliver(packet, header.protocol, header.header_length(), worker, trace);
  }
};

}  // namespace sluice
