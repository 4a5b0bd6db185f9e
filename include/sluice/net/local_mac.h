// SPDX-License-Identifier: Apache-2.0
// MAC addresses for interfaces that have none of their own.
#pragma once
#include <sluice/net/address.h>

#include <cstdint>
#include <functional>
#include <string_view>

namespace sluice {

/// A locally administered unicast address made from a text: the same after a restart, so that the far side's neighbour
/// entries stay true.
inline MacAddress local_mac(std::string_view text) {
  const std::uint64_t hash = std::hash<std::string_view>{}(text);
  MacAddress mac;
  mac.bytes[0] = 0x02;
  for (std::size_t i = 1; i < mac.bytes.size(); ++i) mac.bytes[i] = static_cast<std::uint8_t>(hash >> (8 * i));
  return mac;
}

}  // namespace sluice
