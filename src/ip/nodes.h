// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "ip/state.h"

namespace sluice {

class Registry;

/// Adds the nodes and arcs of the IP layer, ethernet-input and interface-output included. state must outlive the graph.
void register_ip_nodes(Registry& registry, IpState& state);

}  // namespace sluice
