// SPDX-License-Identifier: Apache-2.0
#include "sluice/net/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace sluice {
namespace {

// inet_pton and inet_ntop know RFC 4291's forms and write RFC 5952's.
template <class Address>
bool from_text(int family, std::string_view text, Address& out) {
  char copy[INET6_ADDRSTRLEN + 1];
  if (text.size() > INET6_ADDRSTRLEN || text.find('\0') != text.npos) return false;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = 0;
  return inet_pton(family, copy, out.bytes.data()) == 1;
}

/// Splits "a/n"; n is -1 when it is not a number.
std::pair<std::string_view, int> split(std::string_view text) {
  const std::size_t slash = text.rfind('/');
  if (slash == text.npos) return {text, -1};
  const std::string_view digits = text.substr(slash + 1);
  int length = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc() || end != digits.data() + digits.size()) length = -1;
  return {text.substr(0, slash), length};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// Groups of one or two hex digits between colons; -1 when it is something else.
int parse_groups(std::string_view text, std::array<std::uint8_t, 6>& out) {
  int count = 0;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (group.empty() || group.size() > 2 || count == 6) return -1;
    int value = 0;
    for (const char c : group) {
      if (hex_digit(c) < 0) return -1;
      value = value * 16 + hex_digit(c);
    }
    out[static_cast<std::size_t>(count++)] = static_cast<std::uint8_t>(value);
    if (colon == text.npos) return count;
    text.remove_prefix(colon + 1);
    if (text.empty()) return -1;
  }
  return count;
}

}  // namespace

StatusOr<MacAddress> MacAddress::parse(std::string_view text) {
  const auto bad = [&] { return refused("'{}': not a MAC address; six bytes as in 02:00:00:00:00:01", text); };
  MacAddress mac;
  const std::size_t gap = text.find("::");
  if (gap == text.npos) {
    if (parse_groups(text, mac.bytes) != 6) return bad();
    return mac;
  }
  std::array<std::uint8_t, 6> left{}, right{};
  const int l = parse_groups(text.substr(0, gap), left);
  const int r = parse_groups(text.substr(gap + 2), right);
  if (l < 0 || r < 0 || l + r > 5) return bad();
  std::copy_n(left.begin(), l, mac.bytes.begin());
  std::copy_n(right.begin(), r, mac.bytes.end() - r);
  return mac;
}

std::string MacAddress::to_string() const {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4],
                     bytes[5]);
}

StatusOr<Ip4Address> Ip4Address::parse(std::string_view text) {
  Ip4Address address;
  if (!from_text(AF_INET, text, address))
    return refused("'{}': not an IPv4 address; four numbers as in 10.1.0.5", text);
  return address;
}

std::string Ip4Address::to_string() const { return fmt::format("{}.{}.{}.{}", bytes[0], bytes[1], bytes[2], bytes[3]); }

StatusOr<Ip6Address> Ip6Address::parse(std::string_view text) {
  Ip6Address address;
  if (!from_text(AF_INET6, text, address)) return refused("'{}': not an IPv6 address; as in 2001:db8::5", text);
  return address;
}

std::string Ip6Address::to_string() const {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
}

StatusOr<IpAddress> IpAddress::parse(std::string_view text) {
  if (Ip4Address a; from_text(AF_INET, text, a)) return IpAddress(a);
  if (Ip6Address a; from_text(AF_INET6, text, a)) return IpAddress(a);
  return refused("'{}': not an address; as in 10.1.0.5 or 2001:db8::5", text);
}

StatusOr<IpPrefix> IpPrefix::parse(std::string_view text) {
  const auto [head, length] = split(text);
  const auto address = IpAddress::parse(head);
  if (!address.ok()) return refused("'{}': not a prefix; as in 10.1.0.0/16 or 2001:db8::/32", text);
  const auto bits = static_cast<int>(address->bits());
  if (length < 0 || length > bits)
    return refused("'{}': the prefix length is 0 to {}, as in {}/{}", text, bits, head, bits);
  const IpPrefix prefix = of(*address, static_cast<std::uint8_t>(length));
  if (prefix.address != *address) {
    return refused("'{}': bits behind the prefix length are set; {} is the prefix", text, prefix.to_string());
  }
  return prefix;
}

template <class Address>
StatusOr<Prefix<Address>> Prefix<Address>::parse(std::string_view text) {
  const auto prefix = IpPrefix::parse(text);
  if (!prefix.ok()) return prefix.status();
  constexpr bool kIp6 = Address::kBits == 128;
  if (prefix->is_ip6() != kIp6) return refused("'{}': an IPv{} prefix is wanted", text, kIp6 ? 6 : 4);
  if constexpr (kIp6) {
    return prefix->prefix6();
  } else {
    return prefix->prefix4();
  }
}
template struct Prefix<Ip4Address>;
template struct Prefix<Ip6Address>;

}  // namespace sluice
