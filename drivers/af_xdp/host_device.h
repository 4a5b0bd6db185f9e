// SPDX-License-Identifier: Apache-2.0
// What the kernel says of an interface's channels and driver, in the namespace of the calling thread.
#pragma once
#include <cstdint>
#include <string>

namespace sluice::af_xdp {

struct HostDevice {
  std::string driver;          ///< "veth", "ixgbe" …; empty: not known
  std::uint32_t senders = 1;   ///< channels that send
  std::uint32_t channels = 1;  ///< that receive
  bool combined = false;  ///< a channel receives and sends (ethtool -L combined), else they are counted apart (rx, tx)
  bool vlan_stripped = false;  ///< the device takes VLAN tags out of frames before the XDP program sees them
  int numa_node = -1;
  std::uint32_t zero_copy_segments = 1;  ///< buffers of a frame with zero copy; 1 also where the kernel does not say

  static HostDevice read(const std::string& interface);
};

/// A command line as it has to be typed where this daemon runs to reach a namespace: "nsenter --net=PATH …".
std::string in_namespace(const std::string& path, std::string command);

}  // namespace sluice::af_xdp
