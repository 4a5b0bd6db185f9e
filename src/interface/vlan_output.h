// SPDX-License-Identifier: Apache-2.0
// vlan-output: puts a subinterface's tags into the Ethernet header and goes on to the interface below. IEEE 802.1Q
// clause 9.
#pragma once
#include "sluice/net/ethernet.h"
#include "sluice/node.h"

namespace sluice {

struct VlanOutput {
  static constexpr NodeInfo kInfo{"vlan-output", "puts VLAN tags on and goes on to the interface below"};
  enum class Next : std::uint8_t { InterfaceOutput };
  enum class Drop : std::uint8_t { NoInterface, Truncated, NoHeadroom };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex parent;
    std::uint16_t outer_vlan, inner_vlan;
    void describe(auto&& field) const {
      field("parent", parent);
      field("vlan", outer_vlan);
      if (inner_vlan) field("inner-vlan", inner_vlan);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::NoInterface: return "the subinterface was deleted while the packet was on its way";
      case Drop::Truncated: return "fewer bytes than an Ethernet header";
      case Drop::NoHeadroom: return "no room in front of the packet for the tags";
    }
    return "";
  }

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    const InterfaceState* sub = worker.interface(packet.tx_interface);
    if (!sub || sub->outer_vlan == 0) return Drop::NoInterface;
    if (trace) *trace = {sub->parent, sub->outer_vlan, sub->inner_vlan};
    if (packet.length < sizeof(EthernetHeader)) return Drop::Truncated;
    const bool two = sub->inner_vlan != 0;
    const std::size_t tags = two ? 2 * sizeof(VlanTag) : sizeof(VlanTag);
    if (packet.headroom() < tags) return Drop::NoHeadroom;
    auto& counters = worker.counters(packet.tx_interface);
    counters[InterfaceCounter::TxPackets].add();
    counters[InterfaceCounter::TxBytes].add(packet.chain_length);
    // Both addresses move to the front; the ethertype stays where it is, behind the last tag.
    std::byte* front = packet.push(tags);
    std::memmove(front, front + tags, 2 * sizeof(MacAddress));
    auto* first = reinterpret_cast<be16*>(front + 2 * sizeof(MacAddress));
    first[0] = be16(two ? kEthertypeQinQ : kEthertypeVlan);
    first[1] = be16(sub->outer_vlan);
    if (two) {
      first[2] = be16(kEthertypeVlan);
      first[3] = be16(sub->inner_vlan);
    }
    packet.l2_offset = packet.offset();
    packet.tx_interface = sub->parent;
    return Next::InterfaceOutput;
  }
};

}  // namespace sluice
