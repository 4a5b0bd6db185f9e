// SPDX-License-Identifier: Apache-2.0
// Puts packets together on the control path, one header behind the other.
#pragma once
#include <type_traits>
#include <vector>

namespace sluice {

/// header is a wire format's plain type, in network byte order; Byte has the size of one.
template <class Byte, class Header>
void append_header(std::vector<Byte>& bytes, const Header& header) {
  static_assert(sizeof(Byte) == 1 && std::is_trivially_copyable_v<Header>);
  const auto* from = reinterpret_cast<const Byte*>(&header);
  bytes.insert(bytes.end(), from, from + sizeof header);
}

}  // namespace sluice
