// SPDX-License-Identifier: Apache-2.0
// A capture file as an interface.
#pragma once
#include <sluice/device.h>

#include <memory>
#include <string>
#include <vector>

#include "queue.h"

namespace sluice::pcap {

struct Options {
  std::string receive, send;  ///< paths; empty: none
  std::uint64_t loop = 1, rate = 0;
  bool layer3 = false;
  MacAddress mac{{2, 0, 0, 0, 0, 1}};
};
/// In what a request differs from what is there (sluice/differences.h).
std::string differences(const Options& present, const Options& wanted);

class PcapDevice final : public Device {
 public:
  /// Errors: Capture::read's and CaptureWriter::create's.
  static StatusOr<std::unique_ptr<PcapDevice>> open(const Options& options);
  std::string_view driver() const override { return "pcap"; }
  const DeviceInfo& info() const override { return info_; }
  const Options& options() const { return options_; }
  StatusOr<std::vector<std::unique_ptr<RxQueue>>> open_rx() override;
  StatusOr<std::vector<std::unique_ptr<TxQueue>>> open_tx() override;
  Status set_admin_state(bool up) override;
  void begin() override;
  Status set_mac(const MacAddress& mac) override;
  std::vector<DeviceCounter> counters() const override;
  DeviceDetails details() const override;

 private:
  explicit PcapDevice(const Options& options) : options_(options) {}
  const Options options_;
  DeviceInfo info_;
  std::shared_ptr<Replay> replay_;
  std::shared_ptr<CaptureWriter> writer_;
};

}  // namespace sluice::pcap
