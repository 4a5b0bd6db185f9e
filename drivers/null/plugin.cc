// SPDX-License-Identifier: Apache-2.0
#include <sluice/plugin.h>

#include "service.h"

SLUICE_PLUGIN(null, "a sink for packets, and a source of one and the same packet") {
  registry.driver("null");
  if (!registry.context) return;
  registry.own<sluice::null::Service>(*registry.context).offer(registry.context->api());
}
