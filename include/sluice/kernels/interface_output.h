// SPDX-License-Identifier: Apache-2.0
// interface-output: the way to every device. Checks the interface and finishes in software what its device cannot.
#pragma once
#include <sluice/known.h>
#include <sluice/node.h>

namespace sluice {

struct InterfaceOutput {
  static constexpr NodeInfo kInfo{"interface-output", "checks the output interface and what its device can finish"};
  enum class Next : std::uint8_t { Device, SoftwareOffload };
  enum class Drop : std::uint8_t { NoInterface, InterfaceDown };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex interface;
    std::uint32_t length;
    void describe(auto&& field) const {
      field("interface", interface);
      field("length", length);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::NoInterface: return "the output interface was deleted while the packet was on its way";
      case Drop::InterfaceDown: return "the output interface is down; set interface state NAME up";
    }
    return "";
  }

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    Known known;
    return (*this)(packet, worker, trace, known);
  }
  [[gnu::always_inline]] Verdict operator()(Packet& packet, Worker& worker, Trace* trace, Known& known) const noexcept {
    if (trace) *trace = {packet.tx_interface, packet.chain_length};
    const InterfaceState* out = known.out ? known.out : worker.interface(packet.tx_interface);
    if (!out) return Drop::NoInterface;
    if (!out->up) return Drop::InterfaceDown;
    if ((packet.flags & (kGso | kChecksumPartial)) && !device_finishes(packet, out->offloads))
      return Next::SoftwareOffload;
    return Next::Device;
  }

  static bool device_finishes(const Packet& packet, const Offloads& offloads) noexcept {
    if (!packet.has(kGso)) return offloads.tx_checksum;
    if (packet.inner_l3_offset) return false;  // no device knows what is around the packet
    switch (packet.gso_type) {
      case GsoType::Tcp4: return offloads.tx_tso4;
      case GsoType::Tcp6: return offloads.tx_tso6;
      case GsoType::UdpL4: return offloads.tx_uso;
      case GsoType::Udp:
      case GsoType::None: return false;
    }
    return false;
  }
};

}  // namespace sluice
