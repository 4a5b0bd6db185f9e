// SPDX-License-Identifier: Apache-2.0
#include "sluice/net/protocol_names.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "sluice/net/protocol.h"

namespace sluice {
namespace {

struct Name {
  std::string_view name;
  std::uint8_t protocol;
};

constexpr std::array<Name, 13> kNames{{{"tcp", kIpProtocolTcp},
                                       {"udp", kIpProtocolUdp},
                                       {"icmp", kIpProtocolIcmp},
                                       {"icmp6", kIpProtocolIcmp6},
                                       {"sctp", kIpProtocolSctp},
                                       {"gre", 47},
                                       {"esp", kIpProtocolEsp},
                                       {"ah", kIpProtocolAuthentication},
                                       {"ipip", kIpProtocolIpIp},
                                       {"ip6ip", kIpProtocolIp6},
                                       {"igmp", 2},
                                       {"ospf", 89},
                                       {"vrrp", 112}}};

}  // namespace

std::string_view protocol_name(std::uint8_t protocol) {
  const auto* found = std::find_if(kNames.begin(), kNames.end(), [&](const Name& n) { return n.protocol == protocol; });
  return found == kNames.end() ? std::string_view() : found->name;
}

std::optional<std::uint8_t> protocol_number(std::string_view text) {
  const auto* found = std::find_if(kNames.begin(), kNames.end(), [&](const Name& n) { return n.name == text; });
  if (found != kNames.end()) return found->protocol;
  std::uint8_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

std::string protocol_names() {
  std::string names;
  for (const Name& n : kNames) {
    if (!names.empty()) names += ", ";
    names += n.name;
  }
  return names;
}

}  // namespace sluice
