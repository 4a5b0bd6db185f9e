// SPDX-License-Identifier: Apache-2.0
#include <sluice/plugin.h>

#include "service.h"

SLUICE_PLUGIN(af_packet, "Ethernet interfaces of the kernel, through packet sockets") {
  registry.driver("af-packet");
  if (!registry.context) return;
  registry.own<sluice::af_packet::Service>(*registry.context).offer(registry.context->api());
}
