// SPDX-License-Identifier: Apache-2.0
#include "ip/nodes.h"

#include "interface/vlan_output.h"
#include "ip/arp_input.h"
#include "ip/ip4_arp.h"
#include "ip/ip4_fragment.h"
#include "ip/ip4_icmp.h"
#include "ip/ip4_icmp_error.h"
#include "ip/ip4_local.h"
#include "ip/ip4_punt.h"
#include "ip/ip4_reassembly.h"
#include "ip/ip6_fragment.h"
#include "ip/ip6_icmp.h"
#include "ip/ip6_icmp_error.h"
#include "ip/ip6_local.h"
#include "ip/ip6_nd.h"
#include "ip/ip6_nd_input.h"
#include "ip/ip6_punt.h"
#include "ip/ip6_reassembly.h"
#include "sluice/kernels/ethernet_input.h"
#include "sluice/kernels/interface_output.h"
#include "sluice/kernels/ip4_input.h"
#include "sluice/kernels/ip4_lookup.h"
#include "sluice/kernels/ip4_rewrite.h"
#include "sluice/kernels/ip6_input.h"
#include "sluice/kernels/ip6_lookup.h"
#include "sluice/kernels/ip6_rewrite.h"
#include "sluice/registry.h"

namespace sluice {
namespace {

void register_ip4_nodes(Registry& registry, IpState& state) {
  registry.node<Ip4Input>();
  registry.node<Ip4Lookup>(state.tables);
  registry.node<Ip4Rewrite>(state.tables);
  registry.node<Ip4Fragment>();
  registry.node<Ip4IcmpError>(state);
  registry.node<Ip4Arp>(state);
  registry.node<Ip4Local>(state);
  registry.node<Ip4Icmp>(state);
  registry.node<Ip4Reassembly>();
  registry.node<Ip4Punt>(state);
  registry.node<ArpInput>(state);
}

void register_ip6_nodes(Registry& registry, IpState& state) {
  registry.node<Ip6Input>();
  registry.node<Ip6Lookup>(state.tables);
  registry.node<Ip6Rewrite>(state.tables);
  registry.node<Ip6Fragment>();
  registry.node<Ip6IcmpError>(state);
  registry.node<Ip6Nd>(state);
  registry.node<Ip6Local>(state);
  registry.node<Ip6Icmp>(state);
  registry.node<Ip6Reassembly>();
  registry.node<Ip6Punt>(state);
  registry.node<Ip6NdInput>(state);
}

void register_arcs(Registry& registry) {
  const auto arc = [&](std::string_view name, ArcSelector selector, std::string_view start,
                       std::vector<std::string_view> next) {
    registry.arc({.name = name, .selector = selector, .start_node = start, .start_next = std::move(next)});
  };
  arc("ip4-unicast", ArcSelector::RxInterface, "ip4-input", {"ip4-lookup"});
  arc("ip6-unicast", ArcSelector::RxInterface, "ip6-input", {"ip6-lookup"});
  arc("ip4-output", ArcSelector::TxInterface, "ip4-rewrite", {"interface-output"});
  arc("ip6-output", ArcSelector::TxInterface, "ip6-rewrite", {"interface-output"});
  arc("interface-output", ArcSelector::TxInterface, "interface-output", {"device", "software-offload"});
}

/// Forwarding, from a NIC; from Ip4Input and Ip6Input on, from a TUN.
void register_chains(Registry& registry) {
  registry.chain<EthernetInput, Ip4Input, Ip4Lookup, Ip4Rewrite, InterfaceOutput>();
  registry.chain<EthernetInput, Ip6Input, Ip6Lookup, Ip6Rewrite, InterfaceOutput>();
}

}  // namespace

void register_ip_nodes(Registry& registry, IpState& state) {
  registry.node<EthernetInput>();
  registry.node<InterfaceOutput>();
  registry.node<VlanOutput>();
  register_ip4_nodes(registry, state);
  register_ip6_nodes(registry, state);
  register_arcs(registry);
  register_chains(registry);
}

}  // namespace sluice
