// SPDX-License-Identifier: Apache-2.0
#include "service.h"

#include <sluice/differences.h>

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
  const auto there = is_there<PcapDevice>(context_.interfaces(), request.name(), "pcap", options);
  if (!there.ok()) return there.status();
  if (*there) {
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
