// SPDX-License-Identifier: Apache-2.0
#include <sluice/plugin.h>

#include "service.h"

SLUICE_PLUGIN(af_xdp, "Ethernet interfaces of the kernel, through AF_XDP sockets") {
  registry.driver("af-xdp");
  if (!registry.context) return;
  registry.own<sluice::af_xdp::Service>(*registry.context).offer(registry.context->api());
}
