// SPDX-License-Identifier: Apache-2.0
// What ip4-punt and ip6-punt share.
#pragma once
#include "ip/state.h"
#include "sluice/net/ethernet.h"
#include "sluice/node.h"

namespace sluice {

enum class PuntFate : std::uint8_t { Sent, NoHost, FromHost, NoHostAddress, NoHeadroom };

/// Puts the link-layer header of the host's interface in front, if it has one, and names it as the output.
inline PuntFate punt(Packet& packet, Worker& worker, const PuntTarget& target, std::uint16_t ethertype) noexcept {
  const InterfaceState* host = worker.interface(target.interface);
  if (!host) return PuntFate::NoHost;
  if (packet.rx_interface == target.interface) return PuntFate::FromHost;
  if (host->link == LinkLayer::Ethernet) {
    if (!target.knows_host) return PuntFate::NoHostAddress;
    if (packet.headroom() < sizeof(EthernetHeader)) return PuntFate::NoHeadroom;
    packet.push(sizeof(EthernetHeader));
    *packet.header<EthernetHeader>() = {target.host, host->mac, be16(ethertype)};
    packet.l2_offset = packet.offset();
  }
  packet.tx_interface = target.interface;
  if (packet.rx_interface.valid()) worker.counters(packet.rx_interface)[InterfaceCounter::Punts].add();
  return PuntFate::Sent;
}

}  // namespace sluice
