// SPDX-License-Identifier: Apache-2.0
#include "service.h"

#include <sluice/differences.h>

#include "device.h"

namespace sluice::af_packet {

void Service::offer(Api& api) { api.service("sluice.af_packet.AfPacket").unary("Create", this, &Service::create); }

Status Service::create(const Interface& request, Done& done, CallContext& call) {
  Options options;
  options.host_name = request.host_interface().empty() ? request.name() : request.host_interface();
  options.namespace_path = request.netns();
  options.queues = static_cast<std::uint16_t>(request.queues() ? request.queues() : context_.workers());
  options.promiscuous = !request.no_promiscuous();
  options.qdisc_bypass = request.qdisc_bypass();
  const auto there = is_there<PacketDevice>(context_.interfaces(), request.name(), "af-packet", options);
  if (!there.ok()) return there.status();
  if (*there) {
    done.set_unchanged(true);
    return {};
  }
  if (context_.unprivileged())
    return failed_precondition(
        "driver af-packet needs a privileged daemon; start sluiced as root, without --unprivileged");
  if (Status status = context_.interfaces().would_create(request.name()); !status.ok()) return status;
  if (call.dry_run()) {
    const auto netlink = host::Netlink::open(options.namespace_path);
    return netlink.ok() ? netlink->link(options.host_name).status() : netlink.status();
  }
  auto device = PacketDevice::open(options, silences_);
  if (!device.ok()) return device.status();
  return context_.interfaces().create(request.name(), std::move(*device)).status();
}

}  // namespace sluice::af_packet
