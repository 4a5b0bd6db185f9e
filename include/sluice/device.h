// SPDX-License-Identifier: Apache-2.0
// What a driver gives: a Device with receive and transmit queues. Names, MTU, receive modes, the assignment of queues
// to workers, counters a packet passes and the CLI belong to the framework. A driver called "x" gets the nodes x-input
// and x-output.
#pragma once
#include <sluice/counter.h>
#include <sluice/net/address.h>
#include <sluice/packet.h>
#include <sluice/status.h>
#include <sluice/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

class Worker;

/// What the bytes of a received packet start with.
enum class LinkLayer : std::uint8_t { Ethernet, Ip };

/// What an output can finish itself; the framework does the rest in software.
struct Offloads {
  bool tx_checksum = false;  ///< kChecksumPartial of TCP and UDP
  bool tx_tso4 = false, tx_tso6 = false;
  bool tx_uso = false;  ///< UDP segmentation, both families
  friend bool operator==(const Offloads&, const Offloads&) = default;
};

struct DeviceInfo {
  LinkLayer link = LinkLayer::Ethernet;
  MacAddress mac{};
  std::uint32_t mtu = 1500;                     ///< bytes of layer 3
  std::uint32_t mtu_min = 68, mtu_max = 65535;  ///< what set_mtu takes
  std::uint32_t double_tag_bytes = 0;  ///< how much shorter packets are under two VLAN tags: tags that the MTU pays for
  Offloads offloads;
  std::uint16_t rx_queues = 1, tx_queues = 1;
  bool spreads_flows = false;  ///< it gives both directions of a flow to one receive queue by itself (symmetric RSS)
  std::string detail;          ///< one line for `show interface`: host name, socket, file
  std::vector<std::string> features;  ///< that are on from the beginning; the operator may switch them off
};

/// An interface of the kernel's.
struct HostLink {
  std::string name, namespace_path;  ///< path "" is the daemon's own namespace
};

struct DeviceCounter {
  std::string_view name, unit;
  enum class Direction : std::uint8_t { Rx, Tx } direction;
  std::uint64_t value;
};

/// How a device serves one queue: what `show device` says of it.
struct QueueDetails {
  std::uint32_t ring = 0;  ///< descriptors or slots; 0: it has no ring
  std::string mode;        ///< in the driver's words: "zero-copy", "copy", "system calls", "poll-mode driver" …
  std::string reason;      ///< why not a faster mode; empty: there is none
  std::vector<DeviceCounter> counters;
};

/// What `show device` says of a device beyond its info().
struct DeviceDetails {
  std::vector<QueueDetails> rx, tx;   ///< one for each queue; empty: nothing is known
  std::vector<std::string> offloads;  ///< what the device does itself: "tx-checksum", "tso4", "rss" …
  int numa_node = -1;                 ///< -1: of no node, or not known
};

/// One receive queue. Polled by one worker; open, close and fd() are the control thread's.
class SLUICE_API RxQueue {
 public:
  virtual ~RxQueue() = default;
  /// Puts received packets into packets and returns how many; 0 means empty, unless more says otherwise. Never blocks,
  /// nor does it go on for as long as packets come that it refuses. For each packet: data and lengths, checksum and GSO
  /// state; the framework sets the interface. Buffers come from worker.buffers(); when there are none, the queue drops
  /// at the source and counts into no_buffers.
  virtual std::size_t receive(Worker& worker, std::span<Packet*> packets) noexcept = 0;
  /// Becomes readable (edge-triggered) when packets wait; -1: this queue must be polled.
  virtual int fd() const { return -1; }

  /// Set anew by each receive() that returns 0: it is not empty (there were no buffers, or only packets to refuse), so
  /// it is asked again with the next pass, without an event of fd().
  bool more = false;
  Counter no_buffers, errors;  ///< packets lost for want of buffers; malformed or refused by the device
  Counter packets;             ///< that receive() has given; the framework counts
};

/// One transmit queue. Used by one worker.
class SLUICE_API TxQueue {
 public:
  virtual ~TxQueue() = default;
  /// Sends packets in order and returns how many it took; those are its own (it frees them through worker.buffers()
  /// when they are out). The rest is dropped by the caller and counted as tx-full.
  virtual std::size_t transmit(Worker& worker, std::span<Packet* const> packets) noexcept = 0;

  Counter errors;         ///< taken, but refused by the device
  Counter packets, full;  ///< that transmit() has taken, and not taken; the framework counts
};

/// A device, control thread only. Made by a driver's service, owned by its interface from then on.
class SLUICE_API Device {
 public:
  virtual ~Device() = default;
  /// The driver's name: the same as its folder's with dashes ("af-packet").
  virtual std::string_view driver() const = 0;
  virtual const DeviceInfo& info() const = 0;
  /// Called once, before the interface forwards: exactly info().rx_queues and tx_queues objects. Queues live until the
  /// workers have let go of them, and are destroyed before the device.
  virtual StatusOr<std::vector<std::unique_ptr<RxQueue>>> open_rx() = 0;
  virtual StatusOr<std::vector<std::unique_ptr<TxQueue>>> open_tx() = 0;
  /// The interface was set up or down.
  virtual Status set_admin_state(bool /*up*/) { return {}; }
  /// Every worker has seen that the interface is up: what makes packets by itself may start.
  virtual void begin() {}
  virtual Status set_mtu(std::uint32_t /*mtu*/) { return {}; }
  virtual Status set_mac(const MacAddress& /*mac*/) {
    return failed_precondition("driver {} cannot change the MAC address", driver());
  }
  /// Whether the far side is there. The framework asks each second and after link events.
  virtual bool carrier() const { return true; }
  /// An error: the device is gone for good, and its interface goes. Asked each second.
  virtual Status check() const { return {}; }
  /// Set by the framework; the driver calls it on the control thread when the device is gone for good.
  std::function<void(const Status& why)> on_lost;
  virtual std::vector<DeviceCounter> counters() const { return {}; }
  virtual DeviceDetails details() const { return {}; }
  /// The kernel's interface that this device works on; nothing for others.
  virtual std::optional<HostLink> host_link() const { return std::nullopt; }
  /// Packets that it has lost before receive() could see them, since it was opened: rx-miss.
  virtual std::uint64_t rx_missed() const { return 0; }
  /// The daemon's start has failed: what the device did not make but find must stay when it is destroyed.
  virtual void leave_as_found() {}
};

}  // namespace sluice
