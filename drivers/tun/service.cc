// SPDX-License-Identifier: Apache-2.0
#include "service.h"

namespace sluice::tun {

void Service::offer(Api& api) { api.service("sluice.tun.Tun").unary("Create", this, &Service::create); }

Status Service::create(const Interface& request, Done& done, CallContext& call) {
  TunOptions options;
  options.host_name = request.host_name();
  options.namespace_path = request.netns();
  options.mtu = request.mtu();
  options.persistent = request.persistent();
  options.host_up = true;
  options.host_addresses = {request.host_address().begin(), request.host_address().end()};
  const auto made = driver_.create(*context_, request.name(), std::move(options), call.dry_run());
  if (!made.ok()) return made.status();
  done.set_unchanged(!*made);
  return {};
}

}  // namespace sluice::tun
