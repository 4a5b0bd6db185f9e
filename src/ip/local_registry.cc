// SPDX-License-Identifier: Apache-2.0
#include "ip/local_registry.h"

#include "sluice/net/protocol.h"

namespace sluice {
namespace {

std::string_view name_of_family(IpFamily family) { return family == IpFamily::Ip4 ? "IPv4" : "IPv6"; }

}  // namespace

Status LocalRegistry::add_protocol(IpFamily family, std::uint8_t protocol, NodeIndex node, NodeIndex errors) {
  if (protocol == kIpProtocolIcmp || protocol == kIpProtocolIcmp6 || protocol == kIpProtocolTcp ||
      protocol == kIpProtocolUdp) {
    return refused("IP protocol {}: ICMP, TCP and UDP are not given away; register UDP ports", protocol);
  }
  const std::uint16_t holder = state_.local.get().family(family).protocol[protocol];
  if (holder == node.value) return {};
  if (holder != LocalTable::kNobody) {
    return exists("{} protocol {} is taken by another node", name_of_family(family), protocol);
  }
  state_.local.update([&](LocalTable& table) {
    table.family(family).protocol[protocol] = static_cast<std::uint16_t>(node.value);
    table.family(family).errors[protocol] = static_cast<std::uint16_t>(errors.value);
  });
  return {};
}

Status LocalRegistry::remove_protocol(IpFamily family, std::uint8_t protocol) {
  if (state_.local.get().family(family).protocol[protocol] == LocalTable::kNobody) {
    return not_found("nobody takes {} protocol {}", name_of_family(family), protocol);
  }
  state_.local.update([&](LocalTable& table) {
    table.family(family).protocol[protocol] = table.family(family).errors[protocol] = LocalTable::kNobody;
  });
  return {};
}

Status LocalRegistry::add_udp_port(IpFamily family, std::uint16_t port, NodeIndex node, NodeIndex errors) {
  if (port == 0) return refused("UDP port 0: must be 1 to 65535");
  const std::uint16_t holder = state_.local.get().family(family).find_udp(port);
  if (holder == node.value) return {};
  if (holder != LocalTable::kNobody) {
    return exists("UDP port {} of {} is taken by another node", port, name_of_family(family));
  }
  state_.local.update([&](LocalTable& table) {
    auto& udp = table.family(family).udp;
    const auto at = std::lower_bound(udp.begin(), udp.end(), port,
                                     [](const LocalTable::UdpPort& u, std::uint16_t p) { return u.port < p; });
    udp.insert(at, {port, static_cast<std::uint16_t>(node.value), static_cast<std::uint16_t>(errors.value)});
  });
  return {};
}

Status LocalRegistry::remove_udp_port(IpFamily family, std::uint16_t port) {
  if (state_.local.get().family(family).find_udp(port) == LocalTable::kNobody) {
    return not_found("nobody takes UDP port {} of {}", port, name_of_family(family));
  }
  state_.local.update([&](LocalTable& table) {
    std::erase_if(table.family(family).udp, [&](const LocalTable::UdpPort& u) { return u.port == port; });
  });
  return {};
}

StatusOr<bool> LocalRegistry::set_punt(InterfaceIndex interface, const MacAddress& host) {
  const PuntTarget& now = state_.punt.get();
  if (interface.valid() && !interfaces_.find(interface)) return not_found("no such interface");
  if (now.interface == interface && (host.is_zero() || (now.knows_host && now.host == host))) return false;
  state_.punt.publish(std::make_unique<const PuntTarget>(PuntTarget{interface, !host.is_zero(), host}));
  return true;
}

}  // namespace sluice
