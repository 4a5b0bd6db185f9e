// SPDX-License-Identifier: Apache-2.0
// An interface of the kernel, shared with it through packet sockets: the driver for NICs without any other.
#pragma once
#include <sluice/device.h>
#include <sluice/host.h>

#include <memory>
#include <string>
#include <vector>

#include "queue.h"
#include "silence.h"

namespace sluice::af_packet {

struct Options {
  std::string host_name;
  std::string namespace_path;
  std::uint16_t queues = 1;
  bool promiscuous = true;
  bool qdisc_bypass = false;
  friend bool operator==(const Options&, const Options&) = default;
};

/// "queues 2 instead of 1, …", empty when there is none.
std::string differences(const Options& present, const Options& wanted);

class PacketDevice final : public Device {
 public:
  /// Sets the kernel's interface up. One that has no addresses is taken over: the kernel's own IP stack neither answers
  /// nor forwards on it until the last device of it is destroyed. Errors: no such interface, not Ethernet, no
  /// privilege.
  static StatusOr<std::unique_ptr<PacketDevice>> open(const Options& options, Silences& silences);

  std::string_view driver() const override { return "af-packet"; }
  const DeviceInfo& info() const override { return info_; }
  StatusOr<std::vector<std::unique_ptr<RxQueue>>> open_rx() override;
  StatusOr<std::vector<std::unique_ptr<TxQueue>>> open_tx() override;
  Status set_mtu(std::uint32_t mtu) override;
  Status set_mac(const MacAddress& mac) override;
  bool carrier() const override;
  std::vector<DeviceCounter> counters() const override;
  DeviceDetails details() const override;
  std::uint64_t rx_missed() const override;
  std::optional<HostLink> host_link() const override { return HostLink{options_.host_name, options_.namespace_path}; }

  /// The kernel's interface, or its namespace, is gone, or another one has its name now.
  Status check() const override;

  const Options& options() const { return options_; }

 private:
  PacketDevice(Options options, const host::NamespaceId& namespace_id, host::Netlink netlink)
      : options_(std::move(options)), namespace_id_(namespace_id), netlink_(std::move(netlink)) {}
  Status open_sockets();
  void read_statistics() const;

  Options options_;
  const host::NamespaceId namespace_id_;
  host::Netlink netlink_;
  int index_ = 0;
  std::vector<std::shared_ptr<Socket>> sockets_;
  std::shared_ptr<Silence> silence_;
  DeviceInfo info_;
  struct Statistics {
    std::uint64_t packets = 0, lost = 0;
  };
  Statistics sum() const;
  mutable std::vector<Statistics> statistics_;  // by queue
};

}  // namespace sluice::af_packet
