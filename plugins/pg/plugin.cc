// SPDX-License-Identifier: Apache-2.0
#include "sluice/plugin.h"

#include "service.h"

SLUICE_PLUGIN(pg, "packet generator: streams of made or captured packets into any node or interface") {
  auto& service = registry.own<sluice::pg::Service>(registry);
  if (registry.context) service.offer(registry.context->api());
}
