// SPDX-License-Identifier: Apache-2.0
#include "ip/address_table.h"

#include <bit>

namespace sluice {
namespace {

template <class Bytes>
unsigned common_bits(const Bytes& a, const Bytes& b) noexcept {
  unsigned bits = 0;
  for (std::size_t i = 0; i < a.size(); ++i, bits += 8) {
    const auto differs = static_cast<unsigned char>(a[i] ^ b[i]);
    if (differs) return bits + static_cast<unsigned>(std::countl_zero(differs));
  }
  return bits;
}

}  // namespace

Ip4Address AddressTable::source_for(InterfaceIndex interface, const Ip4Address& peer) const noexcept {
  const OwnAddresses* own = at(interface);
  const OwnAddress<Ip4Address>* first = nullptr;
  if (own) {
    for (const auto& a : own->ip4) {
      if (a.tentative) continue;
      if (common_bits(a.address.bytes, peer.bytes) >= a.length) return a.address;
      if (!first) first = &a;
    }
  }
  return first ? first->address : fallback4;
}

Ip6Address AddressTable::source_for(InterfaceIndex interface, const Ip6Address& peer) const noexcept {
  const bool link_local = peer.is_link_local() || (peer.is_multicast() && (peer.bytes[1] & 15) == 2);
  const OwnAddresses* own = at(interface);
  const OwnAddress<Ip6Address>* best = nullptr;
  unsigned best_bits = 0;
  if (own) {
    for (const auto& a : own->ip6) {
      if (a.tentative || a.address.is_link_local() != link_local) continue;
      const unsigned bits = common_bits(a.address.bytes, peer.bytes);
      if (!best || bits > best_bits) {
        best = &a;
        best_bits = bits;
      }
    }
  }
  if (best) return best->address;
  return link_local ? Ip6Address{} : fallback6;
}

}  // namespace sluice
