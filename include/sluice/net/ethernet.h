// SPDX-License-Identifier: Apache-2.0
// Ethernet and VLAN tags on the wire. IEEE 802.3 clause 3, 802.1Q clause 9.
#pragma once
#include <sluice/net/address.h>

namespace sluice {

struct EthernetHeader {
  MacAddress destination, source;
  be16 type;
};

/// What stands in place of the ethertype's payload behind kEthertypeVlan or kEthertypeQinQ.
struct VlanTag {
  be16 tci;  ///< priority 3 bits, drop eligible 1, VLAN 12
  be16 type;
};

inline constexpr std::uint16_t kEthertypeIp4 = 0x0800;
inline constexpr std::uint16_t kEthertypeArp = 0x0806;
inline constexpr std::uint16_t kEthertypeIp6 = 0x86dd;
inline constexpr std::uint16_t kEthertypeVlan = 0x8100;  ///< 802.1Q
inline constexpr std::uint16_t kEthertypeQinQ = 0x88a8;  ///< 802.1ad

static_assert(sizeof(EthernetHeader) == 14 && sizeof(VlanTag) == 4);

}  // namespace sluice
