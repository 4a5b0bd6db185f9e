// SPDX-License-Identifier: Apache-2.0
// The common ways into and out of IPIP tunnels, fused.
#pragma once
#include <sluice/kernels/interface_output.h>
#include <sluice/kernels/ip4_rewrite.h>
#include <sluice/kernels/ip6_rewrite.h>
#include <sluice/registry.h>

#include "ipip_decap.h"
#include "ipip_errors.h"
#include "ipip_output.h"

namespace sluice::ipip {

/// From the tunnel's interface to the underlay's device.
inline void register_chains(Registry& registry) {
  registry.chain<IpipOutput, InterfaceOutput>();
  registry.chain<IpipOutput, Ip4Rewrite, InterfaceOutput>();
  registry.chain<IpipOutput, Ip6Rewrite, InterfaceOutput>();
}

}  // namespace sluice::ipip
