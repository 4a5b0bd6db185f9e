// SPDX-License-Identifier: Apache-2.0
// What ip4-punt and ip6-punt do: give the host what is this node's and no node has registered for; without a host
// interface the source is told that nobody listens.
#pragma once
#include "ip/state.h"
#include "sluice/net/ethernet.h"
#include "sluice/net/icmp.h"
#include "sluice/node.h"

namespace sluice {

/// Rules: the family's edges, ethertype and error.
template <class Rules>
struct Punt : Rules {
  using typename Rules::Next;
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

  explicit Punt(const IpState& state) : ip(state) {}

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    const PuntTarget& target = ip.punt.read(worker);
    if (trace) *trace = {target.interface, Rules::protocol_of(packet)};
    const InterfaceState* host = worker.interface(target.interface);
    if (!host) {
      packet.icmp_error = Rules::nobody_listens(packet);
      return Rules::kIcmpError;
    }
    if (packet.rx_interface == target.interface) return Drop::FromHost;
    if (host->link == LinkLayer::Ethernet) {
      if (!target.knows_host) return Drop::NoHostAddress;
      if (packet.headroom() < sizeof(EthernetHeader)) return Drop::NoHeadroom;
      packet.push(sizeof(EthernetHeader));
      *packet.header<EthernetHeader>() = {target.host, host->mac, be16(Rules::kEthertype)};
      packet.l2_offset = packet.offset();
    }
    packet.tx_interface = target.interface;
    if (packet.rx_interface.valid()) worker.counters(packet.rx_interface)[InterfaceCounter::Punts].add();
    return Next::InterfaceOutput;
  }
};

}  // namespace sluice
