// SPDX-License-Identifier: Apache-2.0
#include <sluice/plugin.h>

#include <sluice/context.h>
#include "service.h"

SLUICE_PLUGIN(tap, "Ethernet interfaces to a stack of the kernel") {
  registry.driver("tap");
  auto& service = registry.own<sluice::tap::Service>(registry);
  if (registry.context) service.offer(registry.context->api());
}
