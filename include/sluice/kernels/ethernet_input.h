// SPDX-License-Identifier: Apache-2.0
// ethernet-input: checks the destination address, takes VLAN tags off and sorts by ethertype. IEEE 802.3 clause 3,
// 802.1Q clause 9.
#pragma once
#include <sluice/kernels/last_interface.h>
#include <sluice/net/ethernet.h>
#include <sluice/node.h>

#include <bit>
#include <cstring>

namespace sluice {

struct EthernetInput {
  static constexpr NodeInfo kInfo{.name = "ethernet-input",
                                  .summary = "checks the destination address, takes VLAN tags off, sorts by ethertype",
                                  .entry = true};
  enum class Next : std::uint8_t { Ip4Input, Ip6Input, ArpInput };
  enum class Drop : std::uint8_t {
    Truncated,
    NoInterface,
    OtherDestination,
    MulticastSource,
    UnknownEthertype,
    UnknownVlan,
    VlanDown
  };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    MacAddress source, destination;
    std::uint16_t ethertype, outer_vlan, inner_vlan;
    void describe(auto&& field) const {
      field("source", source);
      field("destination", destination);
      field("ethertype", ethertype);
      if (outer_vlan) field("vlan", outer_vlan);
      if (inner_vlan) field("inner-vlan", inner_vlan);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::Truncated: return "fewer bytes than an Ethernet header and its VLAN tags";
      case Drop::NoInterface: return "the interface was deleted while the packet was on its way";
      case Drop::OtherDestination: return "the frame is for another station's address";
      case Drop::MulticastSource: return "the source is a group address";
      case Drop::UnknownEthertype: return "neither IPv4, IPv6, ARP nor a VLAN tag";
      case Drop::UnknownVlan: return "no subinterface has this VLAN; create interface vlan";
      case Drop::VlanDown: return "the VLAN's subinterface is down; set interface state NAME up";
    }
    return "";
  }

  void begin(Worker&) noexcept { in_.begin(); }
  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) noexcept {
    Known known;
    return (*this)(packet, worker, trace, known);
  }
  [[gnu::always_inline]] Verdict operator()(Packet& packet, Worker& worker, Trace* trace, Known& known) noexcept {
    const auto* ethernet = packet.header<EthernetHeader>();
    if (!ethernet) return Drop::Truncated;
    if (trace) *trace = {ethernet->source, ethernet->destination, ethernet->type.host(), 0, 0};
    if (!in_.is(packet.rx_interface)) [[unlikely]] {
      const InterfaceState* in = in_.find(worker, packet.rx_interface);
      own_ = in ? start_of(&in->mac, sizeof in->mac) : 0;
    }
    if (!in_.know(worker, packet.rx_interface, known)) return Drop::NoInterface;
    const InterfaceState* in = known.in;
    if (!is_plain(start_of(ethernet, sizeof own_) ^ own_)) [[unlikely]] {
      if (ethernet->destination != in->mac) {
        if (!(ethernet->destination.bytes[0] & 1)) return Drop::OtherDestination;
        packet.flags |= kBroadcast;
      }
      if (ethernet->source.bytes[0] & 1) return Drop::MulticastSource;
    }
    packet.l2_offset = packet.offset();
    std::uint16_t type = ethernet->type.host();
    packet.pull(sizeof(EthernetHeader));
    if (type == kEthertypeIp4) [[likely]]
      return Next::Ip4Input;
    if (type == kEthertypeVlan || type == kEthertypeQinQ) [[unlikely]] {
      const Tagged tagged = take_tags(packet, type, trace);
      if (!tagged.whole) return Drop::Truncated;
      type = tagged.type;
      if (tagged.outer != 0) {
        const auto sub = in->has_subinterfaces
                             ? worker.interfaces().find_vlan(packet.rx_interface, tagged.outer, tagged.inner)
                             : InterfaceIndex{};
        const InterfaceState* state = worker.interface(sub);
        if (!state) return Drop::UnknownVlan;
        packet.rx_interface = sub;
        if (!state->up) return Drop::VlanDown;
        auto& counters = worker.counters(sub);
        counters[InterfaceCounter::RxPackets].add();
        counters[InterfaceCounter::RxBytes].add(packet.chain_length);
        known.in = state;
        known.in_counters = &counters;
      }
    }
    switch (type) {
      case kEthertypeIp4: return Next::Ip4Input;
      case kEthertypeIp6: return Next::Ip6Input;
      case kEthertypeArp: return Next::ArpInput;
      default: return Drop::UnknownEthertype;
    }
  }

 private:
  LastInterface in_;
  std::uint64_t own_ = 0;  // in_'s address, in the place of a frame's destination

  static std::uint64_t start_of(const void* bytes, std::size_t n) noexcept {
    std::uint64_t start = 0;
    std::memcpy(&start, bytes, n);
    return start;
  }
  // Of a frame's first eight bytes without the interface's own address: whether that left nothing of the destination,
  // and the source is no group (its first bit).
  static bool is_plain(std::uint64_t start) noexcept {
    static_assert(std::endian::native == std::endian::little);
    constexpr unsigned kBehind = 64 - 8 * sizeof(MacAddress) - 1;
    return start << kBehind == 0;
  }

  struct Tagged {
    bool whole = false;
    std::uint16_t type = 0, outer = 0, inner = 0;
  };

  // 802.1Q section 9.6: VLAN 0 carries a priority only, the frame is untagged. One tag is 802.1Q; two are 802.1ad (or
  // 802.1Q) with 802.1Q inside.
  static Tagged take_tags(Packet& packet, std::uint16_t outer_type, Trace* trace) noexcept {
    const auto* tag = packet.header<VlanTag>();
    if (!tag) return {};
    Tagged result{true, tag->type.host(), static_cast<std::uint16_t>(tag->tci.host() & 0xfff), 0};
    packet.pull(sizeof(VlanTag));
    if (result.type == kEthertypeVlan && result.outer != 0) {
      tag = packet.header<VlanTag>();
      if (!tag) return {};
      result.type = tag->type.host();
      result.inner = tag->tci.host() & 0xfff;
      packet.pull(sizeof(VlanTag));
    }
    // A service tag with no VLAN inside is no 802.1Q VLAN of the same number: no subinterface has it.
    if (outer_type == kEthertypeQinQ && result.outer != 0 && result.inner == 0) result.inner = 0xfff;
    if (trace) {
      trace->outer_vlan = result.outer;
      trace->inner_vlan = result.inner;
    }
    return result;
  }
};

}  // namespace sluice
