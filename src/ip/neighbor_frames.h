// SPDX-License-Identifier: Apache-2.0
// The frames that ask for neighbours and announce this node: ARP (RFC 826, RFC 5227) and neighbour discovery (RFC
// 4861).
#pragma once
#include <cstdint>
#include <vector>

#include "sluice/net/address.h"

namespace sluice {

using FrameBytes = std::vector<std::uint8_t>;

/// Who has target? Broadcast, or to a MAC that is believed to be it. A sender of zero makes it a probe.
FrameBytes arp_request(const MacAddress& our_mac, const Ip4Address& sender, const Ip4Address& target,
                       const MacAddress& to = MacAddress::broadcast());
/// Gratuitous: sender and target are ours (RFC 5227 section 2.3).
FrameBytes arp_announcement(const MacAddress& our_mac, const Ip4Address& address);
/// To the solicited-node address, or to the neighbour itself. An unspecified source makes it a probe without our MAC.
FrameBytes neighbor_solicitation(const MacAddress& our_mac, const Ip6Address& source, const Ip6Address& target);
FrameBytes neighbor_solicitation(const MacAddress& our_mac, const Ip6Address& source, const Ip6Address& target,
                                 const MacAddress& to);
/// Unsolicited, to all nodes, overriding.
FrameBytes neighbor_advertisement(const MacAddress& our_mac, const Ip6Address& address);
/// fe80:: with the modified EUI-64 of a MAC (RFC 4291 appendix A).
Ip6Address link_local_of(const MacAddress& mac);

}  // namespace sluice
