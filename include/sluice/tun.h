// SPDX-License-Identifier: Apache-2.0
// Kernel TUN (layer 3) and tap (Ethernet) devices: what drivers/tun, drivers/tap and plugins/pod share. The far side of
// such a device is a network stack of the kernel, in whatever namespace the device lies.
//
// One queue a worker (IFF_MULTI_QUEUE). Every packet has a virtio-net header, so that super-packets of up to 64 KiB and
// unfinished checksums pass both ways. A queue's descriptor keeps the namespace alive until the device is closed.
#pragma once
#include <sluice/device.h>
#include <sluice/host.h>
#include <sluice/status.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

class Context;
class Registry;

struct TunOptions {
  std::string host_name;       ///< of the kernel's interface; empty: that of the interface
  std::string namespace_path;  ///< where it lies; empty: the daemon's namespace
  std::uint16_t queues = 1;    ///< one for each worker
  std::uint32_t mtu = 1500;
  bool persistent = false;  ///< survives the daemon's death; a device that is destroyed in order never stays
  bool host_up = false;     ///< set the kernel's interface up
  /// "address/length": the kernel's interface gets these and loses others. Empty: its addresses are left alone.
  std::vector<std::string> host_addresses;
  MacAddress mac{};       ///< tap only: this side's; zero: made from the names, the same each time
  MacAddress host_mac{};  ///< tap only: the kernel's side's; zero: the kernel chooses
  friend bool operator==(const TunOptions&, const TunOptions&) = default;
};

/// "mtu 1400 instead of 1500, …": in what a request differs from what is there; empty when in nothing. Queues do not
/// count.
SLUICE_API std::string differences(const TunOptions& present, const TunOptions& wanted);

/// A device with its kernel side, control thread only.
class SLUICE_API TunDevice : public Device {
 public:
  virtual const TunOptions& options() const = 0;
  /// Whether open() found a persistent device and attached to it.
  virtual bool attached() const = 0;
  /// What becomes of the kernel's interface when the device is destroyed: it goes, unless keep(true) was called.
  virtual void keep(bool keep) = 0;
  /// Removes the kernel's interface now, unless it is kept; the queues receive and send nothing more. A namespace or an
  /// interface that is gone already is no error.
  virtual Status withdraw() = 0;
};

/// A driver's factory of devices; it hears from the queues when the kernel's side is gone and calls Device::on_lost.
class SLUICE_API TunDriver {
 public:
  /// name is the driver's ("tun", "tap"); link says which kind of device.
  TunDriver(Registry& registry, std::string_view name, LinkLayer link);
  ~TunDriver();
  TunDriver(const TunDriver&) = delete;
  TunDriver& operator=(const TunDriver&) = delete;

  /// Creates the kernel's interface or attaches to a persistent one. Errors: no /dev/net/tun, no privilege, namespace
  /// missing, a name that is in use (by another kind of interface or another process), too many queues. After an error
  /// the kernel has no new interface.
  StatusOr<std::unique_ptr<TunDevice>> open(const TunOptions& options);
  /// Opens a device with a queue for each worker and makes an interface of it. False: it is there already, the same.
  /// Errors: open's; it is there with other options (named). With dry_run nothing is made.
  StatusOr<bool> create(Context& context, const std::string& name, TunOptions options, bool dry_run);

  /// The daemon ends: devices that are withdrawn or destroyed from now on leave the kernel with the driver, all at
  /// once, since the kernel takes some 20 ms for each and waits most of that time. Called when the registry's on_stop
  /// functions are; who has interfaces removed in an earlier one calls it before.
  void end();

  /// What open would refuse without asking the kernel for an interface: names, the namespace.
  Status check(const TunOptions& options) const;

  struct State;

 private:
  bool is_ethernet() const;
  std::string_view driver_name() const;
  std::shared_ptr<State> state_;
};

}  // namespace sluice
