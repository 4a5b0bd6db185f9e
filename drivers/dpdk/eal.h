// SPDX-License-Identifier: Apache-2.0
// The border between dpdk.so, which every daemon loads, and libsluice_dpdk.so, which is linked with DPDK and loaded
// with the first dpdk interface. Control thread only.
#pragma once
#include <sluice/device.h>
#include <sluice/pool.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::dpdk {

struct Options {
  std::string vdev;  ///< "net_tap0,iface=tap7", or empty
  std::string pci;   ///< "0000:01:00.0,argument=1", or empty
  bool bind = false;
  std::uint16_t queues = 0;  ///< 0: one for each worker
  std::uint16_t ring = 0;    ///< 0: kDefaultRing
  std::uint32_t mtu = 0;     ///< 0: the device's own
  bool promiscuous = true;
  friend bool operator==(const Options&, const Options&) = default;

  /// What DPDK is given to make the device.
  const std::string& devargs() const { return vdev.empty() ? pci : vdev; }
  /// Its name there: devargs up to the first comma.
  std::string device_name() const { return devargs().substr(0, devargs().find(',')); }
};

/// What the daemon is.
struct Node {
  BufferPool& pool;
  unsigned workers;
  std::string run_folder;           ///< empty: nowhere
  std::string sysfs_root = "/sys";  /// tests have their own
};

/// "vdev net_null0 instead of net_null1, …", empty when there is none.
std::string differences(const Options& present, const Options& wanted);
/// What is wrong with a request, whatever devices there are.
Status check(const Options& options);

/// A device with the options that it was made with.
class DpdkDevice : public Device {
 public:
  std::string_view driver() const override { return "dpdk"; }
  virtual const Options& options() const = 0;
};

/// libsluice_dpdk.so's entry, `sluice_dpdk_open`: starts DPDK if it has not been, and opens the device. Errors: DPDK
/// cannot start here; no such device, no driver for it; it is used already; it takes no such queues, ring or MTU.
using OpenFunction = void(const Node& node, const Options& options, StatusOr<std::unique_ptr<DpdkDevice>>& opened);
inline constexpr const char* kOpenFunction = "sluice_dpdk_open";

}  // namespace sluice::dpdk
