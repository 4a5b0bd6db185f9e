// SPDX-License-Identifier: Apache-2.0
#include "interface/offload_nodes.h"

#include "interface/device_input.h"
#include "interface/flow_handoff.h"
#include "interface/gro.h"
#include "interface/host/tun_queue.h"
#include "interface/software_offload.h"
#include "sluice/registry.h"

namespace sluice {

static_assert(gro::kChainMax < TunTxQueue::kVectors);

void register_offload_nodes(Registry& registry) {
  registry.node<SoftwareOffload>();
  registry.feature<Gro>();
  register_flow_handoff(registry);
}

void register_flow_handoff(Registry& registry) {
  registry.feature<FlowHandoff>();
  NodeDescription& arrival = registry.node<DeviceInput>();
  arrival.name = kFlowArrival;
  arrival.summary = "takes packets that another worker has handed over, because their flow is this one's";
  registry.arc({.name = "device-input", .start_node = kFlowArrival, .start_next = {"ethernet-input"}});
}

}  // namespace sluice
