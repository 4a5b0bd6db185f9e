// SPDX-License-Identifier: Apache-2.0
// ARP for IPv4 over Ethernet on the wire. RFC 826.
#pragma once
#include <sluice/net/address.h>

namespace sluice {

struct ArpHeader {
  static constexpr std::uint16_t kEthernet = 1, kRequest = 1, kReply = 2;

  be16 hardware, protocol;
  std::uint8_t hardware_length, protocol_length;
  be16 operation;
  MacAddress sender_mac;
  Ip4Address sender;
  MacAddress target_mac;
  Ip4Address target;
};
static_assert(sizeof(ArpHeader) == 28 && alignof(ArpHeader) == 1);

}  // namespace sluice
