// SPDX-License-Identifier: Apache-2.0
// From a request to an interface: what the services of drivers/tun and drivers/tap have in common.
#include <algorithm>

#include "sluice/context.h"
#include "sluice/tun.h"

namespace sluice {
namespace {

std::string shown(const std::string& value) { return value.empty() ? "none" : value; }
std::string shown(const std::vector<std::string>& values) {
  return values.empty() ? "none" : fmt::format("{}", fmt::join(values, ","));
}
std::string shown(bool value) { return value ? "yes" : "no"; }
std::string shown(std::uint32_t value) { return std::to_string(value); }
std::string shown(const MacAddress& value) { return value.to_string(); }

// Locally administered, and the same after a restart, so that the far side's neighbour entries stay true.
MacAddress mac_of(const std::string& name, const TunOptions& options) {
  const std::uint64_t hash = std::hash<std::string>{}(name + '\n' + options.host_name + '\n' + options.namespace_path);
  MacAddress mac;
  mac.bytes[0] = 0x02;
  for (std::size_t i = 1; i < mac.bytes.size(); ++i) mac.bytes[i] = static_cast<std::uint8_t>(hash >> (8 * i));
  return mac;
}

}  // namespace

std::string differences(const TunOptions& present, const TunOptions& wanted) {
  std::vector<std::string> found;
  const auto compare = [&](std::string_view what, const auto& is, const auto& want) {
    if (is != want) found.push_back(fmt::format("{} {} instead of {}", what, shown(want), shown(is)));
  };
  compare("host-name", present.host_name, wanted.host_name);
  compare("netns", present.namespace_path, wanted.namespace_path);
  compare("mtu", present.mtu, wanted.mtu);
  compare("persistent", present.persistent, wanted.persistent);
  compare("host-address", present.host_addresses, wanted.host_addresses);
  compare("mac", present.mac, wanted.mac);
  compare("host-mac", present.host_mac, wanted.host_mac);
  return fmt::format("{}", fmt::join(found, ", "));
}

StatusOr<bool> TunDriver::create(Context& context, const std::string& name, TunOptions options, bool dry_run) {
  if (options.host_name.empty()) options.host_name = name;
  options.queues = static_cast<std::uint16_t>(context.workers());
  if (is_ethernet() && options.mac.is_zero()) options.mac = mac_of(name, options);
  if (const InterfaceEntry* entry = context.interfaces().find(name)) {
    const auto* present = dynamic_cast<const TunDevice*>(entry->device);
    if (!present || present->driver() != driver_name())
      return exists("interface {} exists and belongs to driver {}; choose another name, or delete it first", name,
                    entry->driver);
    const std::string other = differences(present->options(), options);
    if (!other.empty())
      return exists("interface {} exists; the request differs: {}; choose another name, or delete it first", name,
                    other);
    return false;
  }
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
