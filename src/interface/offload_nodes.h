// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

namespace sluice {

class Registry;

inline constexpr std::string_view kFlowArrival = "flow-arrival";

/// Adds software-offload, gro and flow-handoff.
void register_offload_nodes(Registry& registry);
/// Adds flow-handoff and flow-arrival alone.
void register_flow_handoff(Registry& registry);

}  // namespace sluice
