// SPDX-License-Identifier: Apache-2.0
// NAME-input: the first node behind a driver's receive queues.
#pragma once
#include "sluice/node.h"

namespace sluice {

struct DeviceInput {
  static constexpr NodeInfo kInfo{
      .name = "device-input", .summary = "takes packets from a driver's receive queues", .entry = true};
  enum class Next : std::uint8_t { EthernetInput, Ip4Input, Ip6Input };
  enum class Drop : std::uint8_t { InterfaceDown, NotIp };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex interface;
    std::uint32_t length;
    std::uint16_t gso_size;
    bool checksum_partial;
    void describe(auto&& field) const {
      field("interface", interface);
      field("length", length);
      if (gso_size) field("gso-size", gso_size);
      if (checksum_partial) field("checksum", "partial");
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::InterfaceDown: return "the interface is down; set interface state NAME up";
      case Drop::NotIp: return "a packet of an interface without a link layer starts with neither IPv4 nor IPv6";
    }
    return "";
  }

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    if (trace) {
      *trace = {packet.rx_interface, packet.chain_length, packet.has(kGso) ? packet.gso_size : std::uint16_t{0},
                packet.has(kChecksumPartial)};
    }
    const InterfaceState* in = worker.interface(packet.rx_interface);
    if (!in || !in->up) return Drop::InterfaceDown;
    if (in->link == LinkLayer::Ethernet) {
      packet.l2_offset = packet.offset();
      return Next::EthernetInput;
    }
    packet.l3_offset = packet.offset();
    const unsigned version = packet.length ? std::to_integer<unsigned>(packet.data[0]) >> 4 : 0;
    if (version == 4) return Next::Ip4Input;
    if (version == 6) return Next::Ip6Input;
    return Drop::NotIp;
  }
};

}  // namespace sluice
