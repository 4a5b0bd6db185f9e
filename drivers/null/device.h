// SPDX-License-Identifier: Apache-2.0
// A device without a world behind: a sink, and a source of one and the same packet.
#pragma once
#include <sluice/device.h>

#include <memory>
#include <string>
#include <vector>

#include "queue.h"

namespace sluice::null {

struct Options {
  std::string name;  ///< of the interface; the MAC address is made from it
  bool source = false, layer3 = false;
  Ip4Address to{};
  std::uint32_t size = 64;
  std::uint64_t rate = 0, count = 0;  ///< of each queue; 0: no limit
  std::uint16_t queues = 1;
  std::uint32_t flows = 1;  ///< told apart by the UDP source port; every queue sends all of them
};
/// In what a request differs from what is there (sluice/differences.h).
std::string differences(const Options& present, const Options& wanted);

class NullDevice final : public Device {
 public:
  explicit NullDevice(const Options& options);
  std::string_view driver() const override { return "null"; }
  const DeviceInfo& info() const override { return info_; }
  const Options& options() const { return options_; }
  StatusOr<std::vector<std::unique_ptr<RxQueue>>> open_rx() override;
  StatusOr<std::vector<std::unique_ptr<TxQueue>>> open_tx() override;
  Status set_admin_state(bool up) override;
  void begin() override;
  Status set_mac(const MacAddress& mac) override;
  DeviceDetails details() const override;

 private:
  const Options options_;
  DeviceInfo info_;
  std::vector<std::shared_ptr<Source>> sources_;
};

}  // namespace sluice::null
