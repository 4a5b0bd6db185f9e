// SPDX-License-Identifier: Apache-2.0
// MAC, IPv4 and IPv6 addresses and prefixes. Bytes are in network order and plain, so that the types lie in wire
// headers.
#pragma once
#include <sluice/net/endian.h>
#include <sluice/status.h>
#include <sluice/types.h>

#include <array>
#include <compare>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>

namespace sluice {

struct SLUICE_API MacAddress {
  std::array<std::uint8_t, 6> bytes{};

  /// "02:00:00:00:00:01"; "02::1" is short for it. Errors say what is allowed.
  static StatusOr<MacAddress> parse(std::string_view text);
  std::string to_string() const;
  constexpr bool is_multicast() const { return (bytes[0] & 1) != 0; }
  constexpr bool is_zero() const { return *this == MacAddress{}; }
  static constexpr MacAddress broadcast() { return {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}; }
  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;
  /// The compiler would make a call of memcmp, a fifth of what ethernet-input costs.
  friend constexpr bool operator==(const MacAddress& a, const MacAddress& b) {
    if (std::is_constant_evaluated()) return a.bytes == b.bytes;
    return word<std::uint32_t, 0>(a) == word<std::uint32_t, 0>(b) &&
           word<std::uint16_t, 4>(a) == word<std::uint16_t, 4>(b);
  }

 private:
  template <class T, std::size_t From>
  static T word(const MacAddress& address) {
    T value;
    std::memcpy(&value, &address.bytes[From], sizeof value);
    return value;
  }
};

struct SLUICE_API Ip4Address {
  static constexpr unsigned kBits = 32;
  std::array<std::uint8_t, 4> bytes{};

  constexpr Ip4Address() = default;
  explicit constexpr Ip4Address(std::uint32_t host)
      : bytes{static_cast<std::uint8_t>(host >> 24), static_cast<std::uint8_t>(host >> 16),
              static_cast<std::uint8_t>(host >> 8), static_cast<std::uint8_t>(host)} {}
  static StatusOr<Ip4Address> parse(std::string_view text);
  std::string to_string() const;
  /// As an integer in host order.
  constexpr std::uint32_t host() const {
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
  }
  constexpr bool is_unspecified() const { return host() == 0; }
  constexpr bool is_loopback() const { return bytes[0] == 127; }
  constexpr bool is_link_local() const { return bytes[0] == 169 && bytes[1] == 254; }
  constexpr bool is_multicast() const { return (bytes[0] & 0xf0) == 0xe0; }
  constexpr bool is_broadcast() const { return host() == 0xffffffff; }
  /// 0.0.0.0/8 and 240.0.0.0/4 but for the limited broadcast: RFC 1812 5.3.7, RFC 1122 3.2.1.3.
  constexpr bool is_reserved() const { return bytes[0] == 0 || (bytes[0] >= 240 && !is_broadcast()); }
  /// May not be the source of a packet that is forwarded: RFC 1812 section 5.3.7.
  constexpr bool is_martian_source() const {
    return bytes[0] == 0 || is_loopback() || is_multicast() || bytes[0] >= 240;
  }
  /// May not be the destination of a packet that is forwarded.
  constexpr bool is_martian_destination() const { return bytes[0] == 0 || is_loopback() || is_reserved(); }
  friend constexpr auto operator<=>(const Ip4Address&, const Ip4Address&) = default;
};

struct SLUICE_API Ip6Address {
  static constexpr unsigned kBits = 128;
  std::array<std::uint8_t, 16> bytes{};

  static StatusOr<Ip6Address> parse(std::string_view text);
  /// RFC 5952.
  std::string to_string() const;
  /// The upper and lower 64 bits, in host order.
  constexpr std::uint64_t high() const { return half(0); }
  constexpr std::uint64_t low() const { return half(8); }
  constexpr bool is_unspecified() const { return high() == 0 && low() == 0; }
  constexpr bool is_loopback() const { return high() == 0 && low() == 1; }
  constexpr bool is_link_local() const { return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80; }
  constexpr bool is_multicast() const { return bytes[0] == 0xff; }
  /// RFC 4291 2.5.5.2; never valid on the wire.
  constexpr bool is_ip4_mapped() const { return high() == 0 && low() >> 32 == 0xffff; }
  /// May not be the source of a packet that is forwarded: RFC 4291 2.5.2, 2.5.3, 2.7.
  constexpr bool is_martian_source() const {
    return is_unspecified() || is_loopback() || is_multicast() || is_ip4_mapped();
  }
  /// May not be the destination of a packet on a wire. Multicast scope 0 is reserved, 1 stays in the node: 2.7.
  constexpr bool is_martian_destination() const {
    return is_unspecified() || is_loopback() || is_ip4_mapped() || (is_multicast() && multicast_scope() <= 1);
  }
  /// Of a multicast address: RFC 4291 2.7; 2 is link-local.
  constexpr unsigned multicast_scope() const { return bytes[1] & 0x0f; }
  /// RFC 4291 2.7.1.
  constexpr Ip6Address solicited_node() const {
    Ip6Address a;
    a.bytes = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, bytes[13], bytes[14], bytes[15]};
    return a;
  }
  friend constexpr auto operator<=>(const Ip6Address&, const Ip6Address&) = default;

 private:
  constexpr std::uint64_t half(std::size_t at) const {
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < 8; ++i) v = v << 8 | bytes[at + i];
    return v;
  }
};
static_assert(sizeof(MacAddress) == 6 && sizeof(Ip4Address) == 4 && sizeof(Ip6Address) == 16);

/// An address of either family.
class SLUICE_API IpAddress {
 public:
  constexpr IpAddress() = default;
  constexpr IpAddress(Ip4Address a) : is_ip6_(false) {  // NOLINT(google-explicit-constructor)
    for (std::size_t i = 0; i < 4; ++i) bytes_[i] = a.bytes[i];
  }
  constexpr IpAddress(const Ip6Address& a) : bytes_(a.bytes), is_ip6_(true) {}  // NOLINT(google-explicit-constructor)
  static StatusOr<IpAddress> parse(std::string_view text);
  std::string to_string() const { return is_ip6_ ? ip6().to_string() : ip4().to_string(); }

  constexpr bool is_ip4() const { return !is_ip6_; }
  constexpr bool is_ip6() const { return is_ip6_; }
  constexpr unsigned bits() const { return is_ip6_ ? 128 : 32; }
  constexpr Ip4Address ip4() const {
    Ip4Address a;
    for (std::size_t i = 0; i < 4; ++i) a.bytes[i] = bytes_[i];
    return a;
  }
  constexpr Ip6Address ip6() const {
    Ip6Address a;
    a.bytes = bytes_;
    return a;
  }
  constexpr bool is_unspecified() const { return is_ip6_ ? ip6().is_unspecified() : ip4().is_unspecified(); }
  constexpr bool is_multicast() const { return is_ip6_ ? ip6().is_multicast() : ip4().is_multicast(); }
  constexpr bool is_link_local() const { return is_ip6_ ? ip6().is_link_local() : ip4().is_link_local(); }
  friend constexpr auto operator<=>(const IpAddress& a, const IpAddress& b) {
    if (const auto c = a.is_ip6_ <=> b.is_ip6_; c != 0) return c;
    return a.bytes_ <=> b.bytes_;
  }
  friend constexpr bool operator==(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
  bool is_ip6_ = false;
};

/// An address and how many of its bits count; the others are zero.
template <class Address>
struct SLUICE_API Prefix {
  Address address{};
  std::uint8_t length = 0;

  /// "10.0.0.0/8". Errors: no or a bad length, host bits that are not zero (names the prefix that is meant).
  static StatusOr<Prefix> parse(std::string_view text);
  std::string to_string() const { return address.to_string() + "/" + std::to_string(length); }
  /// The prefix of this length that address is in.
  static constexpr Prefix of(Address address, std::uint8_t length) {
    for (unsigned bit = 0; bit < address.bytes.size(); ++bit) {
      const unsigned first = bit * 8;
      if (first >= length) {
        address.bytes[bit] = 0;
      } else if (length - first < 8) {
        address.bytes[bit] = static_cast<std::uint8_t>(address.bytes[bit] & (0xff << (8 - (length - first))));
      }
    }
    return {address, length};
  }
  constexpr bool contains(const Address& a) const { return of(a, length).address == address; }
  constexpr bool contains(const Prefix& p) const { return p.length >= length && contains(p.address); }
  friend constexpr auto operator<=>(const Prefix&, const Prefix&) = default;
};
using Prefix4 = Prefix<Ip4Address>;
using Prefix6 = Prefix<Ip6Address>;

/// A prefix of either family.
struct IpPrefix {
  IpAddress address{};
  std::uint8_t length = 0;

  constexpr IpPrefix() = default;
  constexpr IpPrefix(const Prefix4& p) : address(p.address), length(p.length) {}  // NOLINT(google-explicit-constructor)
  constexpr IpPrefix(const Prefix6& p) : address(p.address), length(p.length) {}  // NOLINT(google-explicit-constructor)
  static StatusOr<IpPrefix> parse(std::string_view text);
  /// The prefix of this length that a is in.
  static constexpr IpPrefix of(const IpAddress& a, std::uint8_t length) {
    return a.is_ip6() ? IpPrefix(Prefix6::of(a.ip6(), length)) : IpPrefix(Prefix4::of(a.ip4(), length));
  }
  /// The prefix that holds this address alone.
  static constexpr IpPrefix host(const IpAddress& a) { return of(a, static_cast<std::uint8_t>(a.bits())); }
  std::string to_string() const { return address.to_string() + "/" + std::to_string(length); }
  constexpr bool is_ip6() const { return address.is_ip6(); }
  constexpr Prefix4 prefix4() const { return {address.ip4(), length}; }
  constexpr Prefix6 prefix6() const { return {address.ip6(), length}; }
  constexpr bool contains(const IpAddress& a) const {
    return a.is_ip6() == is_ip6() && of(a, length).address == address;
  }
  friend constexpr auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};

namespace detail {
inline std::size_t hash_bytes(const void* bytes, std::size_t n) {
  return std::hash<std::string_view>{}({static_cast<const char*>(bytes), n});
}
}  // namespace detail

}  // namespace sluice

template <>
struct std::hash<sluice::MacAddress> {
  std::size_t operator()(const sluice::MacAddress& a) const noexcept {
    return sluice::detail::hash_bytes(&a, sizeof a);
  }
};
template <>
struct std::hash<sluice::Ip4Address> {
  std::size_t operator()(const sluice::Ip4Address& a) const noexcept { return a.host() * 0x9e3779b97f4a7c15u; }
};
template <>
struct std::hash<sluice::Ip6Address> {
  std::size_t operator()(const sluice::Ip6Address& a) const noexcept {
    return sluice::detail::hash_bytes(&a, sizeof a);
  }
};
template <>
struct std::hash<sluice::IpAddress> {
  std::size_t operator()(const sluice::IpAddress& a) const noexcept {
    return a.is_ip6() ? std::hash<sluice::Ip6Address>{}(a.ip6()) : std::hash<sluice::Ip4Address>{}(a.ip4());
  }
};
template <class Address>
struct std::hash<sluice::Prefix<Address>> {
  std::size_t operator()(const sluice::Prefix<Address>& p) const noexcept {
    return std::hash<Address>{}(p.address) * 131 + p.length;
  }
};
template <>
struct std::hash<sluice::IpPrefix> {
  std::size_t operator()(const sluice::IpPrefix& p) const noexcept {
    return std::hash<sluice::IpAddress>{}(p.address) * 131 + p.length;
  }
};

namespace sluice {
/// What is written as its to_string() by fmt, std::ostream and GoogleTest.
template <class T>
concept NetworkText =
    std::same_as<T, MacAddress> || std::same_as<T, Ip4Address> || std::same_as<T, Ip6Address> ||
    std::same_as<T, IpAddress> || std::same_as<T, Prefix4> || std::same_as<T, Prefix6> || std::same_as<T, IpPrefix>;
template <NetworkText T>
std::ostream& operator<<(std::ostream& out, const T& value) {
  return out << value.to_string();
}
}  // namespace sluice

template <sluice::NetworkText T>
struct fmt::formatter<T> : fmt::formatter<fmt::string_view> {
  template <class Context>
  auto format(const T& value, Context& context) const {
    return fmt::formatter<fmt::string_view>::format(value.to_string(), context);
  }
};
