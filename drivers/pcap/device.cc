// SPDX-License-Identifier: Apache-2.0
#include "device.h"

#include <sluice/differences.h>

namespace sluice::pcap {

std::string differences(const Options& present, const Options& wanted) {
  return Differences()
      .compare("receive", present.receive, wanted.receive)
      .compare("send", present.send, wanted.send)
      .compare("loop", present.loop, wanted.loop)
      .compare("rate", present.rate, wanted.rate)
      .compare("layer3", present.layer3, wanted.layer3)
      .compare("mac", present.mac, wanted.mac)
      .text();
}

StatusOr<std::unique_ptr<PcapDevice>> PcapDevice::open(const Options& options) {
  auto device = std::unique_ptr<PcapDevice>(new PcapDevice(options));
  DeviceInfo& info = device->info_;
  info.link = options.layer3 ? LinkLayer::Ip : LinkLayer::Ethernet;
  info.rx_queues = 0;
  if (!options.receive.empty()) {
    auto capture = Capture::read(options.receive);
    if (!capture.ok()) return capture.status();
    info.link = capture->link;
    info.rx_queues = 1;
    device->replay_ = std::make_shared<Replay>(std::move(*capture), options.loop, options.rate);
  }
  if (!options.send.empty()) {
    auto writer = CaptureWriter::create(options.send, info.link);
    if (!writer.ok()) return writer.status();
    device->writer_ = std::move(*writer);
  }
  if (info.link == LinkLayer::Ethernet) info.mac = options.mac;
  info.detail = fmt::format("receives {}, sends {}", options.receive.empty() ? "nothing" : options.receive,
                            options.send.empty() ? "to nowhere" : "to " + options.send);
  return device;
}

StatusOr<std::vector<std::unique_ptr<RxQueue>>> PcapDevice::open_rx() {
  std::vector<std::unique_ptr<RxQueue>> queues;
  if (replay_) queues.push_back(std::make_unique<PcapRxQueue>(replay_));
  return queues;
}

StatusOr<std::vector<std::unique_ptr<TxQueue>>> PcapDevice::open_tx() {
  std::vector<std::unique_ptr<TxQueue>> queues;
  queues.push_back(std::make_unique<PcapTxQueue>(writer_));
  return queues;
}

Status PcapDevice::set_admin_state(bool up) {
  if (replay_ && !up) replay_->pacer.enable(false);
  return {};
}

void PcapDevice::begin() {
  if (replay_) replay_->pacer.enable(true);
}

Status PcapDevice::set_mac(const MacAddress& mac) {
  if (info_.link == LinkLayer::Ip) return Device::set_mac(mac);
  info_.mac = mac;
  return {};
}

std::vector<DeviceCounter> PcapDevice::counters() const {
  if (!replay_) return {};
  using Direction = DeviceCounter::Direction;
  return {{"file-packets", "packets", Direction::Rx, replay_->capture.packets.size()},
          {"file-incomplete", "packets", Direction::Rx, replay_->capture.incomplete}};
}

DeviceDetails PcapDevice::details() const {
  const QueueDetails queue{.ring = 0, .mode = "file", .reason = "", .counters = {}};
  return {.rx = std::vector(info_.rx_queues, queue), .tx = {queue}, .offloads = {}, .numa_node = -1};
}

}  // namespace sluice::pcap
