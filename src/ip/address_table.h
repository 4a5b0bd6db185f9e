// SPDX-License-Identifier: Apache-2.0
// This node's own addresses as the data path needs them: for ARP and ND, and as the source of what it sends itself.
#pragma once
#include <cstdint>
#include <vector>

#include "sluice/interface.h"
#include "sluice/net/address.h"

namespace sluice {

template <class Address>
struct OwnAddress {
  Address address{};
  std::uint8_t length = 0;
  bool tentative = false;  ///< duplicate address detection is not done: neither used nor defended
};

struct OwnAddresses {
  std::vector<OwnAddress<Ip4Address>> ip4;
  std::vector<OwnAddress<Ip6Address>> ip6;
};

/// Published whole when an address changes.
struct AddressTable {
  std::vector<OwnAddresses> by_slot;
  /// Of the lowest slot that has one: the source on interfaces without their own (pods' TUNs).
  Ip4Address fallback4{};
  Ip6Address fallback6{};

  const OwnAddresses* at(InterfaceIndex interface) const noexcept {
    return interface.slot() < by_slot.size() ? &by_slot[interface.slot()] : nullptr;
  }
  const OwnAddress<Ip4Address>* find(InterfaceIndex interface, const Ip4Address& address) const noexcept {
    const OwnAddresses* own = at(interface);
    return own ? find(own->ip4, address) : nullptr;
  }
  const OwnAddress<Ip6Address>* find(InterfaceIndex interface, const Ip6Address& address) const noexcept {
    const OwnAddresses* own = at(interface);
    return own ? find(own->ip6, address) : nullptr;
  }
  /// The source for packets to peer by an interface: in peer's subnet if there is one, else the interface's first, else
  /// the node's. Zero when the node has none. RFC 1812 section 4.3.2.4.
  SLUICE_API Ip4Address source_for(InterfaceIndex interface, const Ip4Address& peer) const noexcept;
  /// The same for IPv6; a link-local peer gets a link-local source. RFC 6724 section 5, rules 2 and 8.
  SLUICE_API Ip6Address source_for(InterfaceIndex interface, const Ip6Address& peer) const noexcept;

 private:
  template <class Address>
  static const OwnAddress<Address>* find(const std::vector<OwnAddress<Address>>& own, const Address& address) noexcept {
    for (const auto& a : own) {
      if (a.address == address) return &a;
    }
    return nullptr;
  }
};

}  // namespace sluice
