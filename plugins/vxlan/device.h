// SPDX-License-Identifier: Apache-2.0
// The device behind a tunnel's interface: no queues, the frames go on to vxlan-output.
#pragma once
#include <sluice/device.h>
#include <sluice/differences.h>
#include <sluice/net/local_mac.h>
#include <sluice/tunnel/peer.h>

#include <memory>
#include <string>
#include <vector>

namespace sluice::vxlan {

struct Options {
  std::string name;
  std::uint32_t vni = 0;
  IpAddress local;
  std::optional<IpAddress> remote;  ///< of frames for addresses that no entry of the table has
  std::uint16_t port = 4789;
  std::uint32_t table = 0;
  std::uint32_t mtu = 0;  ///< at first
  MacAddress mac;         ///< at first
  TunnelPolicy policy;
};
std::string differences(const Options& present, const Options& wanted);

class VxlanDevice final : public Device {
 public:
  static constexpr std::uint32_t kUnderlayMtu = 1500;

  explicit VxlanDevice(const Options& options) : options_(options) {
    info_.mac = options.mac;
    info_.mtu = options.mtu;
    info_.mtu_max = 65535 - overhead(options.local);
    info_.rx_queues = info_.tx_queues = 0;
    // Super-packets stay whole until they are inside: the underlay's interface cuts them.
    info_.offloads = {.tx_checksum = true, .tx_tso4 = true, .tx_tso6 = true, .tx_uso = true};
    info_.detail = options.remote ? fmt::format("vni {} {} -> {}", options.vni, options.local, *options.remote)
                                  : fmt::format("vni {} {}", options.vni, options.local);
  }
  /// Outer IP, UDP and VXLAN headers and the inner Ethernet header.
  static std::uint32_t overhead(const IpAddress& local) { return (local.is_ip6() ? 40 : 20) + 8 + 8 + 14; }
  std::string_view driver() const override { return "vxlan"; }
  const DeviceInfo& info() const override { return info_; }
  const Options& options() const { return options_; }
  StatusOr<std::vector<std::unique_ptr<RxQueue>>> open_rx() override { return std::vector<std::unique_ptr<RxQueue>>{}; }
  StatusOr<std::vector<std::unique_ptr<TxQueue>>> open_tx() override { return std::vector<std::unique_ptr<TxQueue>>{}; }
  Status set_mac(const MacAddress& mac) override {
    info_.mac = mac;
    return {};
  }

 private:
  const Options options_;
  DeviceInfo info_;
};

}  // namespace sluice::vxlan
