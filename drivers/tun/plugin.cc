// SPDX-License-Identifier: Apache-2.0
#include <sluice/plugin.h>

#include <sluice/context.h>
#include "service.h"

SLUICE_PLUGIN(tun, "layer-3 interfaces to a stack of the kernel") {
  registry.driver("tun");
  auto& service = registry.own<sluice::tun::Service>(registry);
  if (registry.context) service.offer(registry.context->api());
}
