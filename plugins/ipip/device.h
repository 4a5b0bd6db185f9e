// SPDX-License-Identifier: Apache-2.0
// The device behind a tunnel's interface: no queues, the packets go on to ipip-output.
#pragma once
#include <sluice/device.h>
#include <sluice/differences.h>
#include <sluice/tunnel/peer.h>

#include <memory>
#include <string>
#include <vector>

namespace sluice::ipip {

struct Options {
  IpAddress local;
  std::optional<IpAddress> remote;  ///< none: remotes are added, next hops choose among them
  std::uint32_t table = 0;
  std::uint32_t mtu = 0;  ///< at first
  TunnelPolicy policy;
};
std::string differences(const Options& present, const Options& wanted);

class IpipDevice final : public Device {
 public:
  static constexpr std::uint32_t kUnderlayMtu = 1500;

  explicit IpipDevice(const Options& options) : options_(options) {
    info_.link = LinkLayer::Ip;
    info_.mtu = options.mtu;
    info_.mtu_max = 65535 - overhead(options.local);
    info_.rx_queues = info_.tx_queues = 0;
    // Super-packets stay whole until they are inside: the underlay's interface cuts them.
    info_.offloads = {.tx_checksum = true, .tx_tso4 = true, .tx_tso6 = true, .tx_uso = true};
    info_.detail = options.remote ? fmt::format("{} -> {}", options.local, *options.remote)
                                  : fmt::format("{} -> many remotes", options.local);
  }
  static std::uint32_t overhead(const IpAddress& local) { return local.is_ip6() ? 40 : 20; }
  std::string_view driver() const override { return "ipip"; }
  const DeviceInfo& info() const override { return info_; }
  const Options& options() const { return options_; }
  StatusOr<std::vector<std::unique_ptr<RxQueue>>> open_rx() override { return std::vector<std::unique_ptr<RxQueue>>{}; }
  StatusOr<std::vector<std::unique_ptr<TxQueue>>> open_tx() override { return std::vector<std::unique_ptr<TxQueue>>{}; }

 private:
  const Options options_;
  DeviceInfo info_;
};

}  // namespace sluice::ipip
