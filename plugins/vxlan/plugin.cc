// SPDX-License-Identifier: Apache-2.0
#include <sluice/plugin.h>
#include <sluice/routes.h>

#include "chains.h"
#include "service.h"

SLUICE_PLUGIN(vxlan, "VXLAN tunnels over IPv4 and IPv6") {
  if (!registry.context || !registry.context->routes()) return;
  sluice::Context& context = *registry.context;
  auto& state = registry.own<sluice::vxlan::State>(context.rcu(), &context.routes()->data_path());
  auto& tunnels = registry.own<sluice::vxlan::Tunnels>(context, state);
  registry.node<sluice::vxlan::VxlanOutput>(state);
  registry.node<sluice::vxlan::VxlanDecap>(state);
  registry.node<sluice::vxlan::VxlanErrors>(state);
  sluice::vxlan::register_chains(registry);
  state.path_mtu = registry.control_message(
      [&tunnels](const sluice::ControlMessage& message) { tunnels.path_mtu(message.as<sluice::vxlan::PathMtu>()); });
  registry.own<sluice::vxlan::Service>(tunnels, context).offer(context.api());
  registry.on_start([&tunnels] { return tunnels.start(); });
  registry.on_stop([&tunnels] { tunnels.stop(); });
}
