// SPDX-License-Identifier: Apache-2.0
#include "device.h"

#include <sluice/differences.h>
#include <unistd.h>

#include <atomic>
#include <fstream>

namespace sluice::af_packet {
namespace {

std::string where(const Options& options) {
  return fmt::format("interface {} in {}", options.host_name, host::describe_namespace(options.namespace_path));
}

}  // namespace

std::string differences(const Options& present, const Options& wanted) {
  return Differences()
      .compare("host-interface", present.host_name, wanted.host_name)
      .compare("netns", present.namespace_path, wanted.namespace_path)
      .compare("queues", present.queues, wanted.queues)
      .compare("promiscuous", present.promiscuous, wanted.promiscuous)
      .compare("qdisc-bypass", present.qdisc_bypass, wanted.qdisc_bypass)
      .text();
}

StatusOr<std::unique_ptr<PacketDevice>> PacketDevice::open(const Options& options, Silences& silences) {
  const auto id = host::namespace_id(options.namespace_path);
  if (!id.ok()) return id.status();
  auto netlink = host::Netlink::open(options.namespace_path);
  if (!netlink.ok()) return netlink.status();
  const auto link = netlink->link(options.host_name);
  if (!link.ok()) return link.status();
  if (!link->ethernet) return failed_precondition("{}: it carries no Ethernet frames", where(options));
  auto device = std::unique_ptr<PacketDevice>(new PacketDevice(options, *id, std::move(*netlink)));
  device->index_ = link->index;
  DeviceInfo& info = device->info_;
  info.mac = link->mac;
  info.mtu = link->mtu;
  info.mtu_max = 65521;
  info.double_tag_bytes = 8;  // the kernel's room for a tag is for one of 802.1Q; the outer one is of 802.1ad
  info.rx_queues = info.tx_queues = options.queues;
  info.spreads_flows = options.queues > 1;  // by the kernel's symmetric hash (PACKET_FANOUT_HASH)
  info.detail = where(options);
  // The kernel finishes in software what the NIC cannot.
  info.offloads = {.tx_checksum = true, .tx_tso4 = true, .tx_tso6 = true, .tx_uso = true};
  // Where the operator has left addresses on the interface he wants the kernel's stack.
  const auto addresses = device->netlink_.addresses(options.host_name);
  if (addresses.ok() && addresses->empty()) {
    device->silence_ = silences.hold(options.namespace_path, *link);
  } else {
    silences.end(options.namespace_path, *link);
  }
  if (Status status = device->netlink_.set_up(options.host_name, true); !status.ok()) return status;
  if (Status status = device->open_sockets(); !status.ok()) return status;
  return device;
}

Status PacketDevice::open_sockets() {
  static std::atomic<std::uint16_t> groups{0};
  const auto group = static_cast<std::uint16_t>((getpid() << 4) + ++groups);
  return host::run_in_namespace(options_.namespace_path, [&]() -> Status {
    for (unsigned queue = 0; queue < options_.queues; ++queue) {
      auto socket = Socket::open(index_, options_.promiscuous, options_.qdisc_bypass);
      if (!socket.ok()) return socket.status();
      sockets_.push_back(std::move(*socket));
      if (options_.queues == 1) break;
      if (Status status = sockets_.back()->join(group); !status.ok()) return status;
    }
    return {};
  });
}

StatusOr<std::vector<std::unique_ptr<RxQueue>>> PacketDevice::open_rx() {
  std::vector<std::unique_ptr<RxQueue>> queues;
  for (const auto& socket : sockets_) queues.push_back(std::make_unique<PacketRxQueue>(socket));
  return queues;
}

StatusOr<std::vector<std::unique_ptr<TxQueue>>> PacketDevice::open_tx() {
  std::vector<std::unique_ptr<TxQueue>> queues;
  for (const auto& socket : sockets_) queues.push_back(std::make_unique<PacketTxQueue>(socket));
  return queues;
}

Status PacketDevice::set_mtu(std::uint32_t mtu) {
  if (Status status = netlink_.set_mtu(options_.host_name, mtu); !status.ok()) return status;
  info_.mtu = mtu;
  return {};
}

Status PacketDevice::set_mac(const MacAddress& mac) {
  const bool other = mac != info_.mac;
  if (other && !options_.promiscuous)
    return failed_precondition("{}: another MAC address than the kernel's needs promiscuous reception",
                               where(options_));
  info_.mac = mac;
  return {};
}

bool PacketDevice::carrier() const {
  const auto link = netlink_.link(options_.host_name);
  return link.ok() && link->index == index_ && link->up && link->carrier;
}

Status PacketDevice::check() const {
  if (!options_.namespace_path.empty()) {
    // The sockets keep it alive after its path and its processes are gone.
    if (auto status = host::still_there(options_.namespace_path, namespace_id_); !status.ok()) return status;
  }
  const auto link = netlink_.link(options_.host_name);
  if (!link.ok()) return absl::IsNotFound(link.status()) ? link.status() : Status();
  if (link->index != index_) return not_found("{}: it was deleted, and another one has its name now", where(options_));
  return {};
}

void PacketDevice::read_statistics() const {
  statistics_.resize(sockets_.size());
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    tpacket_stats stats{};
    socklen_t size = sizeof stats;
    // Reading them sets the kernel's counters back to zero.
    if (getsockopt(sockets_[i]->fd(), SOL_PACKET, PACKET_STATISTICS, &stats, &size) != 0) continue;
    statistics_[i].packets += stats.tp_packets;
    statistics_[i].lost += stats.tp_drops;
  }
}

PacketDevice::Statistics PacketDevice::sum() const {
  read_statistics();
  Statistics sum;
  for (const Statistics& queue : statistics_) {
    sum.packets += queue.packets;
    sum.lost += queue.lost;
  }
  return sum;
}

std::uint64_t PacketDevice::rx_missed() const { return sum().lost; }

std::vector<DeviceCounter> PacketDevice::counters() const {
  using Direction = DeviceCounter::Direction;
  const Statistics all = sum();
  return {{"ring-packets", "packets", Direction::Rx, all.packets}, {"ring-full", "packets", Direction::Rx, all.lost}};
}

DeviceDetails PacketDevice::details() const {
  using Direction = DeviceCounter::Direction;
  read_statistics();
  constexpr std::string_view kWhy = "the kernel copies each packet of a packet socket";
  DeviceDetails details;
  for (const Statistics& queue : statistics_) {
    details.rx.push_back({.ring = Socket::kFrames,
                          .mode = "ring in shared memory, copied",
                          .reason = std::string(kWhy),
                          .counters = {{"ring-packets", "packets", Direction::Rx, queue.packets},
                                       {"ring-full", "packets", Direction::Rx, queue.lost}}});
    details.tx.push_back({.ring = 0, .mode = "system calls, copied", .reason = std::string(kWhy), .counters = {}});
  }
  // /sys shows the links of the namespace that it was mounted in: the daemon's.
  if (options_.namespace_path.empty()) {
    std::ifstream file(fmt::format("/sys/class/net/{}/device/numa_node", options_.host_name));
    if (int node = -1; file >> node) details.numa_node = node;
  }
  return details;
}

}  // namespace sluice::af_packet
