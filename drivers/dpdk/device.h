// SPDX-License-Identifier: Apache-2.0
// A network card or virtual device that DPDK drives.
#pragma once
#include <sluice/device.h>

#include <memory>
#include <vector>

#include "eal.h"
#include "port.h"

namespace sluice::dpdk {

class PortDevice final : public DpdkDevice {
 public:
  /// DPDK runs.
  static StatusOr<std::unique_ptr<PortDevice>> open(const Node& node, const Options& options);

  const DeviceInfo& info() const override { return info_; }
  const Options& options() const override { return options_; }
  StatusOr<std::vector<std::unique_ptr<RxQueue>>> open_rx() override;
  StatusOr<std::vector<std::unique_ptr<TxQueue>>> open_tx() override;
  Status set_mtu(std::uint32_t mtu) override;
  Status set_mac(const MacAddress& mac) override;
  bool carrier() const override;
  Status check() const override { return port_->check(); }
  std::vector<DeviceCounter> counters() const override;
  DeviceDetails details() const override;
  std::uint64_t rx_missed() const override;

  const Port& port() const { return *port_; }

 private:
  struct Name {
    std::string text;  // "rx-good-packets"
    int queue;         // -1: the device's
    DeviceCounter::Direction direction;
    bool bytes;
  };
  PortDevice(const Options& options, std::shared_ptr<Port> port);
  void name_counters();
  template <class Take>
  void read_counters(const Take& take) const;

  const Options options_;
  const std::shared_ptr<Port> port_;
  DeviceInfo info_;
  bool interrupts_ = false;
  std::vector<Name> names_;
};

}  // namespace sluice::dpdk
