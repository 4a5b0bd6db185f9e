// SPDX-License-Identifier: Apache-2.0
#include "service.h"

namespace sluice::tap {

void Service::offer(Api& api) { api.service("sluice.tap.Tap").unary("Create", this, &Service::create); }

Status Service::create(const Interface& request, Done& done, CallContext& call) {
  TunOptions options;
  options.host_name = request.host_name();
  options.namespace_path = request.netns();
  options.mtu = request.mtu();
  options.persistent = request.persistent();
  options.host_up = true;
  options.host_addresses = {request.host_address().begin(), request.host_address().end()};
  for (const auto& [text, mac] : {std::pair(&request.mac(), &options.mac), {&request.host_mac(), &options.host_mac}}) {
    if (text->empty()) continue;
    const auto parsed = MacAddress::parse(*text);
    if (!parsed.ok()) return parsed.status();
    if (parsed->is_multicast()) return refused("MAC address {}: it is a group's; the first byte must be even", *text);
    *mac = *parsed;
  }
  const auto made = driver_.create(*context_, request.name(), std::move(options), call.dry_run());
  if (!made.ok()) return made.status();
  done.set_unchanged(!*made);
  return {};
}

}  // namespace sluice::tap
