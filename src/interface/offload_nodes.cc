// SPDX-License-Identifier: Apache-2.0
#include "interface/offload_nodes.h"

#include "interface/gro.h"
#include "interface/host/tun_queue.h"
#include "interface/software_offload.h"
#include "sluice/registry.h"

namespace sluice {

static_assert(gro::kChainMax < TunTxQueue::kVectors);

void register_offload_nodes(Registry& registry) {
  registry.node<SoftwareOffload>();
  registry.feature<Gro>();
}

}  // namespace sluice
