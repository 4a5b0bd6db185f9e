// SPDX-License-Identifier: Apache-2.0
#include "device.h"

#include <algorithm>
#include <cstring>

#include "log.h"
#include "queue.h"

namespace sluice::dpdk {

StatusOr<std::unique_ptr<PortDevice>> PortDevice::open(const Node& node, const Options& options) {
  auto memory = Memory::of(node.pool);
  if (!memory.ok()) return memory.status();
  std::unique_ptr<Binding> binding;
  if (options.bind) {
    auto bound = Binding::bind(node.sysfs_root, node.run_folder, options.device_name());
    if (!bound.ok()) return bound.status();
    binding = std::move(*bound);
  }
  auto port = Port::open(node, options, std::move(*memory), std::move(binding));
  if (!port.ok()) return port.status();
  return std::unique_ptr<PortDevice>(new PortDevice(options, std::move(*port)));
}

PortDevice::PortDevice(const Options& options, std::shared_ptr<Port> port) : options_(options), port_(std::move(port)) {
  rte_ether_addr mac{};
  rte_eth_macaddr_get(port_->id(), &mac);
  static_assert(sizeof mac == sizeof info_.mac);
  std::memcpy(static_cast<void*>(&info_.mac), &mac, sizeof mac);
  // The kernel is the host at a tap's other end, and keeps the address that the device has.
  if (port_->faces_kernel()) info_.mac.bytes[5] ^= 1;
  info_.mtu = port_->mtu();
  info_.mtu_min = port_->mtu_min();
  info_.mtu_max = port_->mtu_max();
  info_.rx_queues = info_.tx_queues = port_->queues();
  info_.spreads_flows = port_->symmetric();
  info_.detail = fmt::format("{} ({})", options_.devargs(), port_->kind());
  const auto offloads = port_->tx_offloads();
  info_.offloads.tx_checksum = (offloads & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0;
  info_.offloads.tx_tso4 = info_.offloads.tx_tso6 = (offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO) != 0;
  interrupts_ = port_->interrupt_fd(0) >= 0;
  name_counters();
}

StatusOr<std::vector<std::unique_ptr<RxQueue>>> PortDevice::open_rx() {
  std::vector<std::unique_ptr<RxQueue>> queues;
  for (std::uint16_t i = 0; i < port_->queues(); ++i) queues.push_back(std::make_unique<DpdkRxQueue>(port_, i));
  return queues;
}

StatusOr<std::vector<std::unique_ptr<TxQueue>>> PortDevice::open_tx() {
  std::vector<std::unique_ptr<TxQueue>> queues;
  for (std::uint16_t i = 0; i < port_->queues(); ++i) queues.push_back(std::make_unique<DpdkTxQueue>(port_, i));
  return queues;
}

Status PortDevice::set_mtu(std::uint32_t mtu) {
  if (Status status = port_->set_mtu(mtu); !status.ok()) return status;
  info_.mtu = mtu;
  return {};
}

Status PortDevice::set_mac(const MacAddress& mac) {
  if (port_->faces_kernel()) {
    info_.mac = mac;
    return {};
  }
  rte_ether_addr address{};
  std::memcpy(&address, &mac, sizeof address);
  const Said said;
  const int error = rte_eth_dev_default_mac_addr_set(port_->id(), &address);
  if (error != 0 && !(error == -ENOTSUP && options_.promiscuous))
    return failed_precondition("{}: MAC address: {} ({})", port_->name(), rte_strerror(-error), said.text());
  info_.mac = mac;
  return {};
}

bool PortDevice::carrier() const { return port_->carrier(); }

}  // namespace sluice::dpdk
