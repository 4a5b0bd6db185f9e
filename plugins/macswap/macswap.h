// SPDX-License-Identifier: Apache-2.0
// macswap: the example node. Sends every packet back where it came from, addresses exchanged.
#pragma once
#include <sluice/net/ethernet.h>
#include <sluice/node.h>

namespace sluice::macswap {

struct Macswap {
  static constexpr NodeInfo kInfo{"macswap", "exchanges MAC addresses and returns the packet to its sender"};
  static constexpr FeatureInfo kFeature{.arc = "device-input", .before = "ethernet-input"};
  enum class Next : std::uint8_t { InterfaceOutput };
  enum class Drop : std::uint8_t { Truncated };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    MacAddress sender;
    void describe(auto&& field) const { field("sender", sender); }
  };
  static constexpr std::string_view why(Drop) { return "fewer bytes than an Ethernet header"; }
  Verdict operator()(Packet& packet, Worker&, Trace* trace) const noexcept {
    auto* ethernet = packet.header<EthernetHeader>();
    if (!ethernet) return Drop::Truncated;
    if (trace) *trace = {ethernet->source};
    std::swap(ethernet->source, ethernet->destination);
    packet.tx_interface = packet.rx_interface;
    return Next::InterfaceOutput;
  }
};

}  // namespace sluice::macswap
