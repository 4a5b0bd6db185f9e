// SPDX-License-Identifier: Apache-2.0
#include "spec.h"

#include <sluice/differences.h>

namespace sluice::pod {
namespace {

constexpr std::uint32_t kIp6MinimumMtu = 1280;

// Why no pod can have the address; empty when one can.
std::string_view unfit(const IpAddress& address) {
  if (address.is_unspecified()) return "it is the unspecified address";
  if (address.is_multicast()) return "it is a multicast address";
  if (address.is_link_local()) return "link-local addresses are not routed";
  if (address.is_ip4()) {
    if (address.ip4().is_loopback()) return "it is a loopback address";
    if (address.ip4().is_reserved() || address.ip4().is_broadcast()) return "it is reserved";
  } else {
    if (address.ip6().is_loopback()) return "it is the loopback address";
    if (address.ip6().is_ip4_mapped()) return "IPv4-mapped addresses are not routed";
  }
  return {};
}

}  // namespace

std::vector<IpPrefix> PodSpec::prefixes() const {
  std::vector<IpPrefix> result;
  if (ip4) result.push_back(IpPrefix::host(*ip4));
  if (ip6) result.push_back(IpPrefix::host(*ip6));
  return result;
}

Status set_addresses(PodSpec& spec, std::span<const std::string> addresses) {
  for (const std::string& text : addresses) {
    const auto address = IpAddress::parse(text);
    if (!address.ok()) return address.status();
    if (const auto why = unfit(*address); !why.empty()) return refused("address {}: {}", text, why);
    if (address->is_ip6() ? spec.ip6.has_value() : spec.ip4.has_value())
      return refused("address {}: a pod has at most one IPv4 and one IPv6 address", text);
    if (address->is_ip6()) {
      spec.ip6 = address->ip6();
    } else {
      spec.ip4 = address->ip4();
    }
  }
  if (!spec.ip4 && !spec.ip6)
    return refused("pod {}: give an IPv4 address, an IPv6 address, or one of each", spec.name);
  if (spec.ip6 && spec.mtu < kIp6MinimumMtu)
    return refused("mtu {}: a pod with an IPv6 address needs at least {} bytes", spec.mtu, kIp6MinimumMtu);
  return {};
}

std::string differences(const PodSpec& present, const PodSpec& wanted) {
  return Differences()
      .compare("netns", present.namespace_path, wanted.namespace_path)
      .compare("address", present.ip4, wanted.ip4)
      .compare("address", present.ip6, wanted.ip6)
      .compare("interface", present.host_name, wanted.host_name)
      .compare("table", present.table, wanted.table)
      .compare("mtu", present.mtu, wanted.mtu)
      .text();
}

}  // namespace sluice::pod
