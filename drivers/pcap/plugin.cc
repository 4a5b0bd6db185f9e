// SPDX-License-Identifier: Apache-2.0
#include <sluice/plugin.h>

#include "service.h"

SLUICE_PLUGIN(pcap, "capture files as interfaces") {
  registry.driver("pcap");
  if (!registry.context) return;
  registry.own<sluice::pcap::Service>(*registry.context).offer(registry.context->api());
}
