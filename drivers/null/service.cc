// SPDX-License-Identifier: Apache-2.0
#include "service.h"

#include <sluice/differences.h>

#include "device.h"

namespace sluice::null {

void Service::offer(Api& api) { api.service("sluice.null.Null").unary("Create", this, &Service::create); }

Status Service::create(const Interface& request, Done& done, CallContext& call) {
  Options options{.name = request.name(), .source = request.source(), .layer3 = request.layer3()};
  const auto to = Ip4Address::parse(request.to());
  if (!to.ok()) return to.status();
  options.to = *to;
  options.size = request.size();
  options.rate = request.rate();
  options.count = request.count();
  options.queues = static_cast<std::uint16_t>(request.queues());
  options.flows = request.flows();
  const auto there = is_there<NullDevice>(context_.interfaces(), request.name(), "null", options);
  if (!there.ok()) return there.status();
  if (*there) {
    done.set_unchanged(true);
    return {};
  }
  if (Status status = context_.interfaces().would_create(request.name()); !status.ok()) return status;
  if (call.dry_run()) return {};
  return context_.interfaces().create(request.name(), std::make_unique<NullDevice>(options)).status();
}

}  // namespace sluice::null
