// SPDX-License-Identifier: Apache-2.0
// Which source addresses each pod's interface may use; what the guards read.
#pragma once
#include <sluice/net/address.h>
#include <sluice/types.h>

#include <optional>
#include <vector>

namespace sluice::pod {

struct SourceTable {
  struct Sources {
    InterfaceIndex interface;  ///< not valid: the slot is no pod's
    bool has_ip4 = false, has_ip6 = false;
    Ip4Address ip4;
    Ip6Address ip6;
  };
  std::vector<Sources> by_slot;

  /// Null when the interface is no pod's (any more).
  const Sources* find(InterfaceIndex interface) const noexcept {
    if (interface.slot() >= by_slot.size()) return nullptr;
    const Sources& sources = by_slot[interface.slot()];
    return sources.interface == interface ? &sources : nullptr;
  }
};

}  // namespace sluice::pod
