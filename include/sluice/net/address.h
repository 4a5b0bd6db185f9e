// SPDX-License-Identifier: Apache-2.0
// Addresses. The owner of net/ replaces this file whole.
#pragma once
#include <array>
#include <cstdint>

namespace sluice {

struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};
  friend bool operator==(const MacAddress&, const MacAddress&) = default;
};

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  bool is_ip6 = false;
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

}  // namespace sluice
