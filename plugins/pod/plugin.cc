// SPDX-License-Identifier: Apache-2.0
#include <sluice/plugin.h>

#include "ip4_pod_source_guard.h"
#include "ip6_pod_source_guard.h"
#include "service.h"

SLUICE_PLUGIN(pod, "connects pods, network namespaces with a TUN inside, and the host") {
  if (!registry.context) return;
  auto& pods = registry.own<sluice::pod::Pods>(registry, *registry.context);
  auto& host_tap = registry.own<sluice::pod::HostTap>(registry, *registry.context, pods);
  auto& service = registry.own<sluice::pod::Service>(pods, host_tap, *registry.context);
  registry.feature<sluice::pod::Ip4PodSourceGuard>(pods.sources());
  registry.feature<sluice::pod::Ip6PodSourceGuard>(pods.sources());
  service.offer(registry.context->api());
  registry.on_stop([&pods, &host_tap] {
    pods.stop();
    host_tap.stop();
  });
}
