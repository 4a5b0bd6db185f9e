// SPDX-License-Identifier: Apache-2.0
#include <sluice/plugin.h>

#include "service.h"

SLUICE_PLUGIN(dpdk, "network cards and virtual devices through DPDK's poll-mode drivers") {
  registry.driver("dpdk");
  if (!registry.context) return;
  registry.own<sluice::dpdk::Service>(*registry.context).offer(registry.context->api());
}
