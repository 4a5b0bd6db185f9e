// SPDX-License-Identifier: Apache-2.0
// What a pod is asked to be.
#pragma once
#include <sluice/net/address.h>
#include <sluice/status.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice::pod {

struct PodSpec {
  std::string name;  ///< "web" or "default/web"
  std::string namespace_path;
  std::optional<Ip4Address> ip4;
  std::optional<Ip6Address> ip6;
  std::string host_name = "eth0";  ///< of the interface inside the pod
  std::uint32_t table = 0;
  std::uint32_t mtu = 1500;
  friend bool operator==(const PodSpec&, const PodSpec&) = default;

  std::string interface_name() const { return "pod/" + name; }
  /// Both, as far as they are there, each with the length of its family.
  std::vector<IpPrefix> prefixes() const;
};

/// Takes the addresses into spec and checks the whole. Errors: no address, two of one family, one that no pod can
/// have, an MTU too small for IPv6 (RFC 8200 section 5).
Status set_addresses(PodSpec& spec, std::span<const std::string> addresses);

/// "mtu 1400 instead of 1500, …": in what a request differs from the pod; empty when in nothing.
std::string differences(const PodSpec& present, const PodSpec& wanted);

}  // namespace sluice::pod
