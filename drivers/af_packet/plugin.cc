// SPDX-License-Identifier: Apache-2.0
#include <sluice/plugin.h>

#include "service.h"

SLUICE_PLUGIN(af_packet, "Ethernet interfaces of the kernel, through packet sockets") {
  registry.driver("af-packet");
  if (!registry.context) return;
  auto& service = registry.own<sluice::af_packet::Service>(*registry.context);
  service.offer(registry.context->api());
  registry.on_start([&service]() -> sluice::Status {
    service.start();
    return {};
  });
  registry.on_stop([&service] { service.stop(); });
}
