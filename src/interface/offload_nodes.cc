// SPDX-License-Identifier: Apache-2.0
#include "interface/offload_nodes.h"

#include "interface/software_offload.h"
#include "sluice/registry.h"

namespace sluice {

void register_offload_nodes(Registry& registry) { registry.node<SoftwareOffload>(); }

}  // namespace sluice
