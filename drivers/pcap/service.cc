// SPDX-License-Identifier: Apache-2.0
#include "service.h"

#include "device.h"

namespace sluice::pcap {

void Service::offer(Api& api) { api.service("sluice.pcap.Pcap").unary("Create", this, &Service::create); }

Status Service::create(const Interface& request, Done& done, CallContext& call) {
  Options options{.receive = request.receive(), .send = request.send(), .loop = request.loop(), .rate = request.rate()};
  options.layer3 = request.layer3();
  if (!request.mac().empty()) {
    const auto mac = MacAddress::parse(request.mac());
    if (!mac.ok()) return mac.status();
    options.mac = *mac;
  }
  if (const InterfaceEntry* entry = context_.interfaces().find(request.name())) {
    const auto* present = dynamic_cast<const PcapDevice*>(entry->device);
    if (!present)
      return exists("interface {} exists and belongs to driver {}; choose another name, or delete it first",
                    request.name(), entry->driver);
    if (present->options() != options)
      return exists("interface {} exists with other options; choose another name, or delete it first", request.name());
    done.set_unchanged(true);
    return {};
  }
  if (Status status = context_.interfaces().would_create(request.name()); !status.ok()) return status;
  if (call.dry_run()) return options.receive.empty() ? Status() : Capture::read(options.receive).status();
  auto device = PcapDevice::open(options);
  if (!device.ok()) return device.status();
  return context_.interfaces().create(request.name(), std::move(*device)).status();
}

}  // namespace sluice::pcap
