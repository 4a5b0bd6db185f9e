// SPDX-License-Identifier: Apache-2.0
// The device's own counters (xstats), as DPDK names them.
#include <algorithm>
#include <cctype>

#include "device.h"

namespace sluice::dpdk {
namespace {

/// "rx_q3_packets": the queue, and "rx-packets" left in name.
int take_queue(std::string& name) {
  if (name.size() < 6 || name[3] != 'q' || !std::isdigit(static_cast<unsigned char>(name[4]))) return -1;
  std::size_t end = 4;
  int queue = 0;
  for (; end < name.size() && std::isdigit(static_cast<unsigned char>(name[end])); ++end)
    queue = queue * 10 + (name[end] - '0');
  if (end == name.size() || name[end] != '_') return -1;
  name.erase(3, end - 2);
  return queue;
}

}  // namespace

void PortDevice::name_counters() {
  const int count = rte_eth_xstats_get_names(port_->id(), nullptr, 0);
  if (count <= 0) return;
  std::vector<rte_eth_xstat_name> names(static_cast<std::size_t>(count));
  if (rte_eth_xstats_get_names(port_->id(), names.data(), static_cast<unsigned>(count)) != count) return;
  for (const rte_eth_xstat_name& each : names) {
    std::string text = each.name;
    const bool tx = text.starts_with("tx");
    const int queue = text.starts_with("rx_") || text.starts_with("tx_") ? take_queue(text) : -1;
    std::replace(text.begin(), text.end(), '_', '-');
    const bool bytes = text.ends_with("bytes");
    names_.push_back({std::move(text), queue, tx ? DeviceCounter::Direction::Tx : DeviceCounter::Direction::Rx, bytes});
  }
}

template <class Take>
void PortDevice::read_counters(const Take& take) const {
  std::vector<rte_eth_xstat> values(names_.size());
  const int count = rte_eth_xstats_get(port_->id(), values.data(), static_cast<unsigned>(values.size()));
  for (int i = 0; i < std::min(count, static_cast<int>(values.size())); ++i) {
    const rte_eth_xstat& each = values[static_cast<std::size_t>(i)];
    if (each.id < names_.size()) take(names_[each.id], each.value);
  }
}

std::vector<DeviceCounter> PortDevice::counters() const {
  std::vector<DeviceCounter> counters;
  read_counters([&](const Name& name, std::uint64_t value) {
    if (name.queue < 0) counters.push_back({name.text, name.bytes ? "bytes" : "packets", name.direction, value});
  });
  return counters;
}

DeviceDetails PortDevice::details() const {
  DeviceDetails details;
  QueueDetails rx{.ring = port_->rx_ring(), .mode = "poll-mode driver, no copy"};
  if (interrupts_) {
    rx.mode += ", interrupts when idle";
  } else {
    rx.reason = "the device has no interrupts: an idle queue is asked by a timer";
  }
  details.rx.assign(port_->queues(), rx);
  details.tx.assign(port_->queues(), {.ring = port_->tx_ring(), .mode = "poll-mode driver, no copy"});
  read_counters([&](const Name& name, std::uint64_t value) {
    auto& queues = name.direction == DeviceCounter::Direction::Rx ? details.rx : details.tx;
    if (name.queue < 0 || static_cast<std::size_t>(name.queue) >= queues.size()) return;
    queues[static_cast<std::size_t>(name.queue)].counters.push_back(
        {name.text, name.bytes ? "bytes" : "packets", name.direction, value});
  });
  if (port_->rx_offloads() & RTE_ETH_RX_OFFLOAD_TCP_CKSUM) details.offloads.emplace_back("rx-checksum");
  if (port_->rx_offloads() & RTE_ETH_RX_OFFLOAD_SCATTER) details.offloads.emplace_back("rx-chains");
  if (info_.offloads.tx_checksum) details.offloads.emplace_back("tx-checksum");
  if (port_->shape().tx.chains) details.offloads.emplace_back("tx-chains");
  if (info_.offloads.tx_tso4) details.offloads.insert(details.offloads.end(), {"tso4", "tso6"});
  if (port_->rss()) details.offloads.emplace_back(port_->symmetric() ? "rss-symmetric" : "rss");
  details.numa_node = rte_eth_dev_socket_id(port_->id());
  return details;
}

std::uint64_t PortDevice::rx_missed() const {
  rte_eth_stats stats{};
  return rte_eth_stats_get(port_->id(), &stats) == 0 ? stats.imissed : 0;
}

}  // namespace sluice::dpdk
