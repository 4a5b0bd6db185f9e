// SPDX-License-Identifier: Apache-2.0
// The common ways into and out of VXLAN tunnels, fused.
#pragma once
#include <sluice/kernels/interface_output.h>
#include <sluice/kernels/ip4_rewrite.h>
#include <sluice/kernels/ip6_rewrite.h>
#include <sluice/registry.h>

#include "vxlan_decap.h"
#include "vxlan_errors.h"
#include "vxlan_output.h"

namespace sluice::vxlan {

/// From the tunnel's interface to the underlay's device.
inline void register_chains(Registry& registry) {
  registry.chain<VxlanOutput, InterfaceOutput>();
  registry.chain<VxlanOutput, Ip4Rewrite, InterfaceOutput>();
  registry.chain<VxlanOutput, Ip6Rewrite, InterfaceOutput>();
}

}  // namespace sluice::vxlan
