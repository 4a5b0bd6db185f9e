// SPDX-License-Identifier: Apache-2.0
#include "host_device.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

namespace sluice::af_xdp {
namespace {

class Ethtool {
 public:
  explicit Ethtool(const std::string& interface) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    interface.copy(request_.ifr_name, IFNAMSIZ - 1);
  }
  ~Ethtool() {
    if (fd_ >= 0) close(fd_);
  }
  Ethtool(const Ethtool&) = delete;
  Ethtool& operator=(const Ethtool&) = delete;

  template <class T>
  bool get(std::uint32_t command, T& value) {
    value = {};
    value.cmd = command;
    request_.ifr_data = reinterpret_cast<char*>(&value);
    return fd_ >= 0 && ioctl(fd_, SIOCETHTOOL, &request_) == 0;
  }

 private:
  const int fd_;
  ifreq request_{};
};

}  // namespace

HostDevice HostDevice::read(const std::string& interface) {
  HostDevice device;
  Ethtool ethtool(interface);
  if (ethtool_drvinfo info{}; ethtool.get(ETHTOOL_GDRVINFO, info)) {
    device.driver.assign(info.driver, strnlen(info.driver, sizeof info.driver));
    const std::string bus(info.bus_info, strnlen(info.bus_info, sizeof info.bus_info));
    // The devices of a bus are in no namespace; one without a bus has a name that no folder has.
    if (bus.find('/') == std::string::npos)
      std::ifstream("/sys/bus/pci/devices/" + bus + "/numa_node") >> device.numa_node;
  }
  if (ethtool_channels channels{}; ethtool.get(ETHTOOL_GCHANNELS, channels)) {
    device.combined = channels.combined_count > 0;
    device.channels = std::max<std::uint32_t>(1, channels.combined_count + channels.rx_count);
    device.senders = std::max<std::uint32_t>(1, channels.combined_count + channels.tx_count);
  }
  if (ethtool_value flags{}; ethtool.get(ETHTOOL_GFLAGS, flags)) device.vlan_stripped = flags.data & ETH_FLAG_RXVLAN;
  return device;
}

std::string in_namespace(const std::string& path, std::string command) {
  return path.empty() ? command : "nsenter --net=" + path + " " + command;
}

}  // namespace sluice::af_xdp
