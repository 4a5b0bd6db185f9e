// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sluice/interface.h"

namespace sluice {

InterfaceIndex InterfaceTable::find_vlan(InterfaceIndex parent, std::uint16_t outer,
                                         std::uint16_t inner) const noexcept {
  const std::uint64_t key = vlan_key(parent.slot(), outer, inner);
  const auto it =
      std::lower_bound(vlans.begin(), vlans.end(), key, [](const VlanKey& v, std::uint64_t k) { return v.key < k; });
  return it != vlans.end() && it->key == key ? it->index : InterfaceIndex{};
}

}  // namespace sluice
