// SPDX-License-Identifier: Apache-2.0
// An interface of the kernel, whose frames come and go by AF_XDP sockets: one for each of its channels.
#pragma once
#include <sluice/device.h>
#include <sluice/host.h>

#include <memory>
#include <string>
#include <vector>

#include "deny_list.h"
#include "host_device.h"
#include "opening.h"

namespace sluice::af_xdp {

struct Options {
  std::string host_name;
  std::string namespace_path;
  std::uint32_t queues = 0;  ///< 0: as many as the interface has channels
  std::uint32_t ring = 0;    ///< 0: as the pool has room for
  std::uint32_t busy_poll = 0;
  std::optional<Mode> mode;  ///< this one or none
  bool promiscuous = true;
  friend bool operator==(const Options&, const Options&) = default;
};

/// "queues 2 instead of 1, …", empty when there is none.
std::string differences(const Options& present, const Options& wanted);

class XdpDevice final : public Device {
 public:
  static constexpr std::uint32_t kMostQueues = 64;

  /// Sets the kernel's interface up and takes its frames: the kernel's own stack receives none any more. Errors: no
  /// such interface, not Ethernet; its channels or MTU do not fit, with the command that mends them; open_queues()'s.
  static StatusOr<std::unique_ptr<XdpDevice>> open(const Options& options, BufferPool& pool, DenyList& denied);
  /// What open() would refuse before it touches the interface.
  static Status would_open(const Options& options, const BufferPool& pool);
  ~XdpDevice() override;

  std::string_view driver() const override { return "af-xdp"; }
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
  XdpDevice(Options options, BufferPool& pool, const host::NamespaceId& namespace_id, host::Netlink netlink)
      : options_(std::move(options)), pool_(pool), namespace_id_(namespace_id), netlink_(std::move(netlink)) {}
  Status open_queues(const host::Link& link, const DenyMaps& denied);
  Status listen_to_all();
  void warn() const;
  xdp_statistics statistics() const;

  const Options options_;
  BufferPool& pool_;
  const host::NamespaceId namespace_id_;
  host::Netlink netlink_;
  int index_ = 0;
  HostDevice host_;
  Opened opened_;
  int membership_ = -1;  // a packet socket that keeps the interface promiscuous
  DeviceInfo info_;
};

}  // namespace sluice::af_xdp
