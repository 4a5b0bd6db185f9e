// SPDX-License-Identifier: Apache-2.0
// Interfaces as the data path sees them: one flat published table, indexed by slot.
#pragma once
#include <sluice/counter.h>
#include <sluice/device.h>
#include <sluice/types.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sluice {

/// One interface. Plain data: the table that holds it is copied, changed and published whole.
struct alignas(kCacheLine) InterfaceState {
  InterfaceIndex index;  ///< not valid: the slot is empty
  bool up = false;
  LinkLayer link = LinkLayer::Ethernet;
  MacAddress mac{};
  std::uint32_t mtu = 1500;  ///< layer 3, both families
  Offloads offloads;
  NodeIndex output_node;  ///< the driver's output node, or vlan-output
  TableIndex table4{0}, table6{0};
  InterfaceIndex parent;         ///< of a VLAN subinterface
  std::uint16_t outer_vlan = 0;  ///< 0: none; tag protocol is 802.1ad when inner_vlan is set
  std::uint16_t inner_vlan = 0;
  bool has_subinterfaces = false;
};

struct InterfaceTable {
  struct VlanKey {
    std::uint64_t key;  ///< parent slot, outer, inner
    InterfaceIndex index;
  };
  std::vector<InterfaceState> slots;
  std::vector<VlanKey> vlans;  ///< sorted by key

  static constexpr std::uint64_t vlan_key(std::uint32_t slot, std::uint16_t outer, std::uint16_t inner) {
    return std::uint64_t{slot} << 24 | std::uint64_t{outer} << 12 | inner;
  }
  /// Null when the index is stale or was never given out.
  const InterfaceState* find(InterfaceIndex index) const noexcept { return find(slots.data(), slots.size(), index); }
  static const InterfaceState* find(const InterfaceState* slots, std::size_t count, InterfaceIndex index) noexcept {
    const InterfaceState* const state = slots + index.slot();
    return index.slot() < count && state->index == index ? state : nullptr;
  }
  SLUICE_API InterfaceIndex find_vlan(InterfaceIndex parent, std::uint16_t outer, std::uint16_t inner) const noexcept;
};

/// Counted for each interface and worker.
enum class InterfaceCounter : std::uint8_t {
  RxPackets,
  RxBytes,
  TxPackets,
  TxBytes,
  Drops,  ///< dropped somewhere in the graph; the interface is where the packet came in
  Punts,  ///< given to the host
  Ip4,
  Ip6,
  RxMiss,  ///< lost in the device before we saw it
  RxNoBuffer,
  RxError,
  TxError,
};
inline constexpr std::size_t kInterfaceCounters = 12;

struct alignas(kCacheLine) InterfaceCounters {
  std::array<Counter, kInterfaceCounters> value;
  Counter& operator[](InterfaceCounter c) { return value[static_cast<std::size_t>(c)]; }
  const Counter& operator[](InterfaceCounter c) const { return value[static_cast<std::size_t>(c)]; }
};

}  // namespace sluice
