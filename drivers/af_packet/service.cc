// SPDX-License-Identifier: Apache-2.0
#include "service.h"

#include "device.h"

namespace sluice::af_packet {

void Service::offer(Api& api) { api.service("sluice.af_packet.AfPacket").unary("Create", this, &Service::create); }

void Service::start() {
  timer_ = context_.every(std::chrono::seconds(1), [this] { look(); });
}

void Service::look() const {
  for (const InterfaceEntry* entry : context_.interfaces().list()) {
    const auto* device = dynamic_cast<const PacketDevice*>(entry->device);
    if (!device || !device->on_lost) continue;
    const Status status = device->check();
    if (status.ok()) continue;
    // It may destroy the device, and this list's entry with it: one a look.
    const auto on_lost = device->on_lost;
    on_lost(status);
    return;
  }
}

Status Service::create(const Interface& request, Done& done, CallContext& call) {
  Options options;
  options.host_name = request.host_interface().empty() ? request.name() : request.host_interface();
  options.namespace_path = request.netns();
  options.queues = static_cast<std::uint16_t>(request.queues() ? request.queues() : context_.workers());
  options.promiscuous = !request.no_promiscuous();
  options.qdisc_bypass = request.qdisc_bypass();
  if (const InterfaceEntry* entry = context_.interfaces().find(request.name())) {
    const auto* present = dynamic_cast<const PacketDevice*>(entry->device);
    if (!present) return exists("interface {} exists and belongs to driver {}", request.name(), entry->driver);
    const std::string other = differences(present->options(), options);
    if (!other.empty()) return exists("interface {} exists; the request differs: {}", request.name(), other);
    done.set_unchanged(true);
    return {};
  }
  if (context_.unprivileged()) return failed_precondition("driver af-packet needs a privileged daemon");
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
