// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sluice {

class Registry;

/// Adds software-offload and gro.
void register_offload_nodes(Registry& registry);

}  // namespace sluice
