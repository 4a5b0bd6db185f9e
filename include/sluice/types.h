// SPDX-License-Identifier: Apache-2.0
// Indices are a type each, so that none is taken for another.
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

#define SLUICE_API __attribute__((visibility("default")))

namespace sluice {

/// At most this many packets travel between two nodes at once.
inline constexpr std::size_t kVectorMax = 256;
inline constexpr std::size_t kCacheLine = 64;

template <class Tag>
struct Index {
  static constexpr std::uint32_t kNone = 0xffffffff;
  std::uint32_t value = kNone;
  constexpr Index() = default;
  explicit constexpr Index(std::uint32_t v) : value(v) {}
  constexpr bool valid() const { return value != kNone; }
  friend constexpr auto operator<=>(Index, Index) = default;
};

using NodeIndex = Index<struct NodeTag>;
using ForwardingIndex = Index<struct ForwardingTag>;
/// A table (VRF) by its slot; the operator's number for it is its id.
using TableIndex = Index<struct TableTag>;

/// An interface: a 24-bit slot and an 8-bit generation, so that a packet that waited while its interface was deleted
/// and the slot reused is recognised as stale.
struct InterfaceIndex {
  static constexpr std::uint32_t kNone = 0xffffffff;
  std::uint32_t value = kNone;
  constexpr InterfaceIndex() = default;
  explicit constexpr InterfaceIndex(std::uint32_t v) : value(v) {}
  constexpr InterfaceIndex(std::uint32_t slot, std::uint8_t generation)
      : value((slot & 0xffffff) | (std::uint32_t{generation} << 24)) {}
  constexpr std::uint32_t slot() const { return value & 0xffffff; }
  constexpr std::uint8_t generation() const { return static_cast<std::uint8_t>(value >> 24); }
  constexpr bool valid() const { return value != kNone; }
  friend constexpr auto operator<=>(InterfaceIndex, InterfaceIndex) = default;
};

}  // namespace sluice

template <class Tag>
struct std::hash<sluice::Index<Tag>> {
  std::size_t operator()(sluice::Index<Tag> i) const noexcept { return i.value; }
};
template <>
struct std::hash<sluice::InterfaceIndex> {
  std::size_t operator()(sluice::InterfaceIndex i) const noexcept { return i.value; }
};
