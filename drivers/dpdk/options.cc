// SPDX-License-Identifier: Apache-2.0
#include <sluice/differences.h>

#include <algorithm>
#include <cctype>

#include "eal.h"

namespace sluice::dpdk {
namespace {

bool is_hex(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

/// DDDD:BB:DD.F, as sysfs writes it.
bool is_pci_address(std::string_view name) {
  return name.size() == 12 && name[4] == ':' && name[7] == ':' && name[10] == '.' && is_hex(name.substr(0, 4)) &&
         is_hex(name.substr(5, 2)) && is_hex(name.substr(8, 2)) && name[11] >= '0' && name[11] <= '7';
}

bool is_vdev_name(std::string_view name) {
  return name.size() > 4 && name.size() < 64 && name.starts_with("net_") &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

}  // namespace

std::string differences(const Options& present, const Options& wanted) {
  return Differences()
      .compare("vdev", present.vdev, wanted.vdev)
      .compare("pci", present.pci, wanted.pci)
      .compare("bind", present.bind, wanted.bind)
      .compare("queues", present.queues, wanted.queues)
      .compare("ring", present.ring, wanted.ring)
      .compare("mtu", present.mtu, wanted.mtu)
      .compare("promiscuous", present.promiscuous, wanted.promiscuous)
      .text();
}

Status check(const Options& options) {
  if (options.vdev.empty() == options.pci.empty())
    return refused("a dpdk interface is of one device; give either vdev or pci");
  const std::string name = options.device_name();
  if (!options.pci.empty() && !is_pci_address(name))
    return refused("pci {}: must be a card's address as lspci -D prints it, like 0000:01:00.0", name);
  if (!options.vdev.empty() && !is_vdev_name(name))
    return refused("vdev {}: must be a driver's name with a number, and its arguments, like net_tap0,iface=tap7", name);
  return {};
}

}  // namespace sluice::dpdk
