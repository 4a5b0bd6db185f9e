// SPDX-License-Identifier: Apache-2.0
#include <sluice/plugin.h>
#include <sluice/routes.h>

#include "chains.h"
#include "service.h"

SLUICE_PLUGIN(ipip, "tunnels of IPv4 or IPv6 that carry both") {
  if (!registry.context || !registry.context->routes()) return;
  sluice::Context& context = *registry.context;
  auto& state = registry.own<sluice::ipip::State>(context.rcu(), &context.routes()->data_path());
  auto& tunnels = registry.own<sluice::ipip::Tunnels>(context, state);
  registry.node<sluice::ipip::IpipOutput>(state);
  registry.node<sluice::ipip::IpipDecap>(state);
  registry.node<sluice::ipip::IpipErrors>(state);
  sluice::ipip::register_chains(registry);
  state.path_mtu = registry.control_message(
      [&tunnels](const sluice::ControlMessage& message) { tunnels.path_mtu(message.as<sluice::ipip::PathMtu>()); });
  registry.own<sluice::ipip::Service>(tunnels, context).offer(context.api());
  registry.on_start([&tunnels] { return tunnels.start(); });
  registry.on_stop([&tunnels] { tunnels.stop(); });
}
