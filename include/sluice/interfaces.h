// SPDX-License-Identifier: Apache-2.0
// Interfaces as the control thread sees them: names, devices, addresses, who listens to their changes. Every call is
// made on the control thread; an error has changed nothing.
#pragma once
#include <sluice/device.h>
#include <sluice/interface.h>
#include <sluice/net/address.h>
#include <sluice/status.h>
#include <sluice/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// How a receive queue is served. Adaptive: polled while packets come, then asleep in epoll.
enum class RxMode : std::uint8_t { Polling, Interrupt, Adaptive };

/// An address on an interface, with the length of its subnet's prefix.
struct InterfaceAddress {
  IpAddress address;
  std::uint8_t length = 0;
  friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

/// Which worker serves a receive queue.
struct RxPlacement {
  std::uint16_t queue = 0;
  std::uint32_t worker = 0;
  bool moving = false;  ///< the worker before has not let go of it yet
};

/// What the framework has counted for one queue.
struct QueueCounts {
  std::uint64_t packets = 0;     ///< received, or taken by the device
  std::uint64_t no_buffers = 0;  ///< receive queues: lost for want of buffers
  std::uint64_t full = 0;        ///< transmit queues: not taken by the device
  std::uint64_t errors = 0;
};
struct InterfaceQueues {
  std::vector<QueueCounts> rx, tx;
};

struct InterfaceEntry {
  InterfaceIndex index;
  std::string name;    ///< "eth0", "pod/web", "eth0.100"
  std::string driver;  ///< "tun", …, or "vlan"
  std::string owner;   ///< who alone may delete it: "pod"; empty: the operator
  bool admin_up = false;
  bool carrier = true;
  LinkLayer link = LinkLayer::Ethernet;
  MacAddress mac{};
  std::uint32_t mtu = 1500;
  std::uint32_t table = 0;  ///< the operator's number, both families
  RxMode rx_mode = RxMode::Adaptive;
  std::vector<InterfaceAddress> addresses;
  InterfaceIndex parent;  ///< of a subinterface
  std::uint16_t outer_vlan = 0, inner_vlan = 0;
  std::vector<RxPlacement> placement;
  const Device* device = nullptr;  ///< null for subinterfaces
  std::string detail;
};

class SLUICE_API Interfaces {
 public:
  enum class Event : std::uint8_t {
    Created,
    Deleted,  ///< the entry is still whole, but no longer under its name or in list(); listeners let go of it
    StateChanged,
    MtuChanged,
    MacChanged,
    TableChanged,
    AddressAdded,
    AddressRemoved,
  };
  using Listener = std::function<void(Event, const InterfaceEntry&, const InterfaceAddress*)>;

  virtual ~Interfaces() = default;

  /// Takes the device, opens its queues, spreads them over the workers. The interface is down and has no address. owner
  /// is the noun of the command that alone may delete it, where that is not "interface"; names that begin with pod/ are
  /// owner pod's. Errors: would_create's; what the driver says.
  virtual StatusOr<InterfaceIndex> create(std::string name, std::unique_ptr<Device> device,
                                          std::string_view owner = {}) = 0;
  /// What create() would refuse before it looks at the device: the name is taken, another owner's, too long (63) or has
  /// other characters than letters, digits and . _ - / ; the table is full.
  virtual Status would_create(std::string_view name, std::string_view owner = {}) const = 0;
  /// outer alone is an 802.1Q tag; outer and inner are 802.1ad with 802.1Q inside.
  virtual StatusOr<InterfaceIndex> create_vlan(std::string name, InterfaceIndex parent, std::uint16_t outer,
                                               std::uint16_t inner) = 0;
  /// What create_vlan() would refuse.
  virtual Status would_create_vlan(std::string_view name, InterfaceIndex parent, std::uint16_t outer,
                                   std::uint16_t inner) const = 0;
  /// Withdraws it everywhere; queues and device are destroyed after a grace period, and then done is called.
  virtual Status remove(InterfaceIndex index, std::function<void()> done = {}) = 0;

  /// Null when there is none.
  virtual const InterfaceEntry* find(InterfaceIndex index) const = 0;
  virtual const InterfaceEntry* find(std::string_view name) const = 0;
  /// "eth0", or "deleted" for a stale index. What log lines and traces print.
  virtual std::string name(InterfaceIndex index) const = 0;
  /// All, in the order of their names.
  virtual std::vector<const InterfaceEntry*> list() const = 0;

  // These return whether anything changed.
  virtual StatusOr<bool> set_state(InterfaceIndex index, bool up) = 0;
  virtual StatusOr<bool> set_mtu(InterfaceIndex index, std::uint32_t mtu) = 0;
  /// What set_mtu() would return unless the device refuses it.
  virtual StatusOr<bool> would_set_mtu(InterfaceIndex index, std::uint32_t mtu) const = 0;
  virtual StatusOr<bool> set_table(InterfaceIndex index, std::uint32_t table, TableIndex slot4, TableIndex slot6) = 0;
  virtual StatusOr<bool> set_rx_mode(InterfaceIndex index, RxMode mode) = 0;
  virtual StatusOr<bool> would_set_rx_mode(InterfaceIndex index, RxMode mode) const = 0;
  /// Has another worker serve a receive queue, or all of them: nothing stops, and what waits in the queue is received
  /// by the worker that comes after. It takes a grace period; until then RxPlacement::moving. Errors: no such queue or
  /// worker.
  virtual StatusOr<bool> set_rx_placement(InterfaceIndex index, std::optional<std::uint16_t> queue,
                                          std::uint32_t worker) = 0;
  virtual StatusOr<bool> would_set_rx_placement(InterfaceIndex index, std::optional<std::uint16_t> queue,
                                                std::uint32_t worker) const = 0;
  virtual StatusOr<bool> add_address(InterfaceIndex index, const InterfaceAddress& address) = 0;
  virtual StatusOr<bool> remove_address(InterfaceIndex index, const InterfaceAddress& address) = 0;

  /// Called after each change, in the order of registration. For Deleted, in the reverse order.
  virtual void listen(Listener listener) = 0;
  /// The sum over all workers.
  virtual std::uint64_t counter(InterfaceIndex index, InterfaceCounter counter) const = 0;
  /// Of each queue of its own; empty for subinterfaces.
  virtual InterfaceQueues queues(InterfaceIndex index) const = 0;
};

/// Features on interfaces. Enabling rebuilds and publishes that interface's chain.
class SLUICE_API Features {
 public:
  virtual ~Features() = default;
  virtual StatusOr<bool> enable(InterfaceIndex index, std::string_view feature) = 0;
  virtual StatusOr<bool> disable(InterfaceIndex index, std::string_view feature) = 0;
  /// What enable() or disable() would return, and nothing is changed.
  virtual StatusOr<bool> would_set(InterfaceIndex index, std::string_view feature, bool on) const = 0;
  /// Names of the enabled features of an interface on an arc, in the order in which packets meet them.
  virtual std::vector<std::string> enabled(InterfaceIndex index, std::string_view arc) const = 0;
};

}  // namespace sluice
