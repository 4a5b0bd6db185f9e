// SPDX-License-Identifier: Apache-2.0
#include "control/kinds.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>

namespace sluice::control {
namespace {

struct Builtin {
  std::string_view name;
  std::string_view what;
};
constexpr std::array<Builtin, 13> kBuiltins{{
    {"address", "an IPv4 or IPv6 address (10.0.0.1, fd00::1)"},
    {"ip4", "an IPv4 address (10.0.0.1)"},
    {"ip6", "an IPv6 address (fd00::1)"},
    {"prefix", "an IPv4 or IPv6 prefix (10.1.0.0/16, fd00:1::/64)"},
    {"ip4-prefix", "an IPv4 prefix (10.1.0.0/16)"},
    {"ip6-prefix", "an IPv6 prefix (fd00:1::/64)"},
    {"interface-address", "an address with its prefix length (10.0.0.1/24, fd00::1/64)"},
    {"mac", "a MAC address (02:00:00:00:00:01)"},
    {"name", "a name of letters, digits and -_./ (at most 63)"},
    {"path", "an absolute path"},
    {"duration", "a time (10s, 500ms)"},
    {"bytes", "a size (65536, 64k, 2M)"},
    {"on-off", "on or off"},
}};

bool has_address_syntax(int family, std::string_view text, unsigned char* out) {
  char buffer[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof buffer) return false;
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = 0;
  return std::strlen(buffer) == text.size() && inet_pton(family, buffer, out) == 1;
}

bool is_prefix(int family, std::string_view text, bool host_bits) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  unsigned char address[16] = {};
  if (!has_address_syntax(family, text.substr(0, slash), address)) return false;
  const auto digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  const unsigned bits = family == AF_INET ? 32 : 128;
  if (error != std::errc() || end != digits.data() + digits.size() || length > bits) return false;
  if (host_bits) return true;
  for (unsigned bit = length; bit < bits; ++bit) {
    if (address[bit / 8] & (0x80u >> (bit % 8))) return false;
  }
  return true;
}

bool is_mac(std::string_view text) {
  if (text.size() != 17) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool good = i % 3 == 2 ? text[i] == ':' : std::isxdigit(static_cast<unsigned char>(text[i])) != 0;
    if (!good) return false;
  }
  return true;
}

bool is_name(std::string_view text) {
  constexpr std::string_view kOther = "-_./";
  if (text.empty() || text.size() > 63 || !std::isalnum(static_cast<unsigned char>(text.front()))) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || kOther.find(c) != std::string_view::npos;
  });
}

bool holds(std::string_view kind, std::string_view value) {
  unsigned char raw[16];
  if (kind == "ip4") return has_address_syntax(AF_INET, value, raw);
  if (kind == "ip6") return has_address_syntax(AF_INET6, value, raw);
  if (kind == "address") return has_address_syntax(AF_INET, value, raw) || has_address_syntax(AF_INET6, value, raw);
  if (kind == "ip4-prefix") return is_prefix(AF_INET, value, false);
  if (kind == "ip6-prefix") return is_prefix(AF_INET6, value, false);
  if (kind == "prefix") return is_prefix(AF_INET, value, false) || is_prefix(AF_INET6, value, false);
  if (kind == "interface-address") return is_prefix(AF_INET, value, true) || is_prefix(AF_INET6, value, true);
  if (kind == "mac") return is_mac(value);
  if (kind == "name") return is_name(value);
  if (kind == "path")
    return value.size() < 4096 && value.starts_with('/') && value.find('\0') == std::string_view::npos;
  return true;
}

std::optional<std::uint64_t> scaled(std::uint64_t number, std::uint64_t factor) {
  if (factor && number > std::numeric_limits<std::uint64_t>::max() / factor) return {};
  return number * factor;
}

std::uint64_t nanoseconds_of(std::string_view unit) {
  if (unit == "ns") return 1;
  if (unit == "us") return 1'000;
  if (unit == "ms") return 1'000'000;
  if (unit == "s") return 1'000'000'000;
  if (unit == "m") return 60'000'000'000;
  if (unit == "h") return 3'600'000'000'000;
  return 0;
}

/// The number at the beginning of the text; `rest` is what follows.
std::optional<std::uint64_t> leading_number(std::string_view text, std::string_view& rest) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return {};
  rest = text.substr(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace

std::string_view builtin_kind(std::string_view kind) {
  if (kind == "up-down") return "up or down";
  const auto* found =
      std::find_if(kBuiltins.begin(), kBuiltins.end(), [&](const Builtin& b) { return b.name == kind; });
  return found == kBuiltins.end() ? std::string_view{} : found->what;
}

Status check_builtin(std::string_view kind, std::string_view value) {
  if (holds(kind, value)) return {};
  const bool bits = kind.find("prefix") != std::string_view::npos &&
                    (is_prefix(AF_INET, value, true) || is_prefix(AF_INET6, value, true)) && !holds("prefix", value);
  return refused("must be {}{}", builtin_kind(kind), bits ? "; bits behind the prefix length are not zero" : "");
}

std::optional<std::uint64_t> parse_duration(std::string_view text, std::string_view unit) {
  std::string_view suffix;
  const auto number = leading_number(text, suffix);
  const auto to = nanoseconds_of(unit);
  if (!number || !to) return {};
  if (suffix.empty()) return number;
  const auto from = nanoseconds_of(suffix);
  const auto total = scaled(*number, from);
  if (!from || !total || *total % to) return {};
  return *total / to;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  std::string_view suffix;
  const auto number = leading_number(text, suffix);
  if (!number) return {};
  if (suffix.empty()) return number;
  constexpr std::string_view kSuffixes = "kMGT";
  const auto power = kSuffixes.find(suffix.front());
  if (suffix.size() != 1 || power == std::string_view::npos) return {};
  return scaled(*number, std::uint64_t{1} << (10 * (power + 1)));
}

}  // namespace sluice::control
