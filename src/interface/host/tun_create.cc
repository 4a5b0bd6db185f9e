// SPDX-License-Identifier: Apache-2.0
// From a request to an interface: what the services of drivers/tun and drivers/tap have in common.
#include "sluice/context.h"
#include "sluice/differences.h"
#include "sluice/net/local_mac.h"
#include "sluice/tun.h"

namespace sluice {

std::string differences(const TunOptions& present, const TunOptions& wanted) {
  return Differences()
      .compare("host-name", present.host_name, wanted.host_name)
      .compare("netns", present.namespace_path, wanted.namespace_path)
      .compare("mtu", present.mtu, wanted.mtu)
      .compare("persistent", present.persistent, wanted.persistent)
      .compare("host-address", present.host_addresses, wanted.host_addresses)
      .compare("mac", present.mac, wanted.mac)
      .compare("host-mac", present.host_mac, wanted.host_mac)
      .text();
}

StatusOr<bool> TunDriver::create(Context& context, const std::string& name, TunOptions options, bool dry_run) {
  if (options.host_name.empty()) options.host_name = name;
  options.queues = static_cast<std::uint16_t>(context.workers());
  if (is_ethernet() && options.mac.is_zero())
    options.mac = local_mac(name + '\n' + options.host_name + '\n' + options.namespace_path);
  const auto there = is_there<TunDevice>(context.interfaces(), name, driver_name(), options);
  if (!there.ok()) return there.status();
  if (*there) return false;
  if (context.unprivileged())
    return failed_precondition("driver {} needs a privileged daemon; start sluiced as root, without --unprivileged",
                               driver_name());
  if (Status status = context.interfaces().would_create(name); !status.ok()) return status;
  if (dry_run) {
    if (Status status = check(options); !status.ok()) return status;
    return true;
  }
  auto device = open(options);
  if (!device.ok()) return device.status();
  TunDevice* opened = device->get();
  // What a crash has left stays when the interface is refused.
  opened->keep(opened->attached());
  auto index = context.interfaces().create(name, std::move(*device));
  if (!index.ok()) return index.status();
  opened->keep(false);
  return true;
}

}  // namespace sluice
