// SPDX-License-Identifier: Apache-2.0
#include "device.h"

#include <linux/if_packet.h>
#include <sluice/differences.h>
#include <sluice/log.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

#include "queue.h"

namespace sluice::af_xdp {
namespace {

constexpr std::uint32_t kRingMost = 2048, kRingLeast = 64;

std::string where(const Options& options) {
  return fmt::format("interface {} in {}", options.host_name, host::describe_namespace(options.namespace_path));
}

std::string shown(const std::optional<Mode>& mode) { return mode ? std::string(name_of(*mode)) : "auto"; }

/// Received frames of all queues may take a quarter of the pool.
std::uint32_t ring_for(const BufferPool& pool, std::uint32_t queues) {
  const auto buffers = static_cast<std::uint32_t>(pool.usage().total);
  return std::clamp(std::bit_floor(buffers / 4 / queues), kRingLeast, kRingMost);
}

Status check_channels(const Options& options, const HostDevice& host) {
  const std::uint32_t wanted = options.queues ? options.queues : host.channels;
  const auto mend = [&](std::uint32_t channels) {
    return in_namespace(options.namespace_path, fmt::format("ethtool -L {} {} {}", options.host_name,
                                                            host.combined ? "combined" : "rx", channels));
  };
  if (wanted != host.channels) {
    return failed_precondition(
        "{}: it receives by {} channel{}, and queues {} was asked for; what comes by a channel without a queue would "
        "stay "
        "with the kernel; run: {}",
        where(options), host.channels, host.channels == 1 ? "" : "s", wanted, mend(wanted));
  }
  if (host.channels > XdpDevice::kMostQueues) {
    return failed_precondition("{}: it receives by {} channels, and at most {} can be served; run: {}", where(options),
                               host.channels, XdpDevice::kMostQueues, mend(XdpDevice::kMostQueues));
  }
  return {};
}

}  // namespace

std::string differences(const Options& present, const Options& wanted) {
  return Differences()
      .compare("host-interface", present.host_name, wanted.host_name)
      .compare("netns", present.namespace_path, wanted.namespace_path)
      .compare("queues", present.queues, wanted.queues)
      .compare("ring", present.ring, wanted.ring)
      .compare("busy-poll", present.busy_poll, wanted.busy_poll)
      .compare("mode", shown(present.mode), shown(wanted.mode))
      .compare("promiscuous", present.promiscuous, wanted.promiscuous)
      .text();
}

Status XdpDevice::would_open(const Options& options, const BufferPool& pool) {
  const auto netlink = host::Netlink::open(options.namespace_path);
  if (!netlink.ok()) return netlink.status();
  const auto link = netlink->link(options.host_name);
  if (!link.ok()) return link.status();
  if (!link->ethernet) return failed_precondition("{}: it carries no Ethernet frames", where(options));
  HostDevice host;
  Status entered = host::run_in_namespace(options.namespace_path, [&]() -> Status {
    host = HostDevice::read(options.host_name);
    return {};
  });
  if (!entered.ok()) return entered;
  if (Status status = check_channels(options, host); !status.ok()) return status;
  const std::uint64_t wanted = std::uint64_t{options.ring} * host.channels;
  if (wanted > pool.usage().total / 2) {
    return exhausted(
        "{}: ring {} for {} queues takes {} buffers, and the pool has {}; lower ring, or raise buffers.count",
        where(options), options.ring, host.channels, wanted, pool.usage().total);
  }
  return {};
}

StatusOr<std::unique_ptr<XdpDevice>> XdpDevice::open(const Options& options, BufferPool& pool, DenyList& denied) {
  if (Status status = would_open(options, pool); !status.ok()) return status;
  const auto id = host::namespace_id(options.namespace_path);
  if (!id.ok()) return id.status();
  auto netlink = host::Netlink::open(options.namespace_path);
  if (!netlink.ok()) return netlink.status();
  const auto link = netlink->link(options.host_name);
  if (!link.ok()) return link.status();
  auto device = std::unique_ptr<XdpDevice>(new XdpDevice(options, pool, *id, std::move(*netlink)));
  device->index_ = link->index;
  if (Status status = device->netlink_.set_up(options.host_name, true); !status.ok()) return status;
  Status opened = host::run_in_namespace(options.namespace_path, [&]() -> Status {
    if (Status status = device->open_queues(*link, denied.maps()); !status.ok()) return status;
    return device->listen_to_all();
  });
  if (!opened.ok()) return opened;
  if (Status status = denied.keep(device->opened_.filter->deny_maps()); !status.ok()) return status;
  DeviceInfo& info = device->info_;
  info.mac = link->mac;
  info.mtu = link->mtu;
  info.mtu_max = device->opened_.mtu_max;
  info.double_tag_bytes = 4;  // a veth has room for one tag beyond the MTU
  info.rx_queues = static_cast<std::uint16_t>(device->opened_.queues.size());
  // A socket sends by the channel of its own number, where there is one.
  info.tx_queues = static_cast<std::uint16_t>(std::min<std::uint32_t>(info.rx_queues, device->host_.senders));
  const OpenQueue& first = device->opened_.queues.front();
  info.detail = fmt::format("{}, {}", where(options), name_of(first.mode));
  return device;
}

// In the interface's namespace.
Status XdpDevice::open_queues(const host::Link& link, const DenyMaps& denied) {
  host_ = HostDevice::read(options_.host_name);
  Wanted wanted{.where = where(options_),
                .interface = options_.host_name,
                .index = link.index,
                .driver = host_.driver,
                .namespace_path = options_.namespace_path,
                .mtu = link.mtu,
                .queues = host_.channels,
                .ring = options_.ring ? options_.ring : ring_for(pool_, host_.channels),
                .busy_poll = options_.busy_poll,
                .zero_copy_segments = host_.zero_copy_segments};
  if (options_.mode) wanted.slowest = wanted.fastest = *options_.mode;
  auto opened = af_xdp::open_queues(pool_, wanted, denied);
  if (!opened.ok()) return opened.status();
  opened_ = std::move(*opened);
  warn();
  return {};
}

// What works all the same, but not as one may think.
void XdpDevice::warn() const {
  const auto say = [&](std::string_view what, const std::string& mend) {
    log(LogLevel::Warning, what, field("interface", options_.host_name), field("mend", mend));
  };
  const auto addresses = netlink_.addresses(options_.host_name);
  if (addresses.ok() && !addresses->empty())
    say("the kernel hears nothing at its own addresses there any more",
        fmt::format("set interface address NAME {}", addresses->front()));
  if (host_.driver == "veth") {
    say("a veth's peer leaves checksums to its device, and AF_XDP does not tell; TCP and UDP need it to finish them",
        "at the peer: ethtool -K PEER tx off");
  } else if (host_.vlan_stripped) {
    say("the device takes VLAN tags out of frames, and AF_XDP does not tell them",
        in_namespace(options_.namespace_path, fmt::format("ethtool -K {} rxvlan off", options_.host_name)));
  }
}

// Multicast of IPv6 and other routers' MAC addresses pass a card's filter by this only. The kernel undoes it when the
// socket is closed. In the interface's namespace.
Status XdpDevice::listen_to_all() {
  membership_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  packet_mreq membership{};
  membership.mr_ifindex = index_;
  membership.mr_type = options_.promiscuous ? PACKET_MR_PROMISC : PACKET_MR_ALLMULTI;
  if (membership_ >= 0 &&
      setsockopt(membership_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) == 0)
    return {};
  return unavailable("{}: receiving all frames: {}", where(options_), std::strerror(errno));
}

XdpDevice::~XdpDevice() {
  if (membership_ >= 0) close(membership_);
  if (!let_go(opened_)) return;
  (void)host::run_in_namespace(options_.namespace_path, [&]() -> Status {
    wait_until_free(options_.host_name, static_cast<std::uint32_t>(opened_.queues.size()));
    return {};
  });
}

StatusOr<std::vector<std::unique_ptr<RxQueue>>> XdpDevice::open_rx() {
  std::vector<std::unique_ptr<RxQueue>> queues;
  for (const OpenQueue& queue : opened_.queues) queues.push_back(std::make_unique<XdpRxQueue>(queue.socket, pool_));
  return queues;
}

StatusOr<std::vector<std::unique_ptr<TxQueue>>> XdpDevice::open_tx() {
  std::vector<std::unique_ptr<TxQueue>> queues;
  for (std::size_t i = 0; i < info_.tx_queues; ++i)
    queues.push_back(std::make_unique<XdpTxQueue>(opened_.queues[i].socket, opened_.queues[i].segments));
  return queues;
}

Status XdpDevice::set_mtu(std::uint32_t mtu) {
  if (Status status = netlink_.set_mtu(options_.host_name, mtu); !status.ok()) return status;
  info_.mtu = mtu;
  return {};
}

Status XdpDevice::set_mac(const MacAddress& mac) {
  if (mac != info_.mac && !options_.promiscuous)
    return failed_precondition("{}: another MAC address than the kernel's needs promiscuous reception",
                               where(options_));
  info_.mac = mac;
  return {};
}

bool XdpDevice::carrier() const {
  const auto link = netlink_.link(options_.host_name);
  return link.ok() && link->index == index_ && link->up && link->carrier;
}

Status XdpDevice::check() const {
  if (!options_.namespace_path.empty()) {
    // The sockets keep it alive after its path and its processes are gone.
    if (auto status = host::still_there(options_.namespace_path, namespace_id_); !status.ok()) return status;
  }
  const auto link = netlink_.link(options_.host_name);
  if (!link.ok()) return absl::IsNotFound(link.status()) ? link.status() : Status();
  if (link->index != index_) return not_found("{}: it was deleted, and another one has its name now", where(options_));
  // What the kernel left in a ring, because a receiver was slow or the link was down, goes even when nothing follows
  // it.
  for (const OpenQueue& queue : opened_.queues) {
    if (queue.socket->has_unsent()) (void)sendto(queue.socket->fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0);
  }
  return {};
}

namespace {

using Direction = DeviceCounter::Direction;

std::vector<DeviceCounter> received(const xdp_statistics& statistics) {
  return {{"ring-full", "packets", Direction::Rx, statistics.rx_ring_full},
          {"not-taken", "packets", Direction::Rx, statistics.rx_dropped},
          {"no-fill-buffer", "times", Direction::Rx, statistics.rx_fill_ring_empty_descs},
          {"bad-fill-buffer", "buffers", Direction::Rx, statistics.rx_invalid_descs}};
}

std::vector<DeviceCounter> sent(const xdp_statistics& statistics) {
  return {{"bad-descriptor", "descriptors", Direction::Tx, statistics.tx_invalid_descs}};
}

}  // namespace

xdp_statistics XdpDevice::statistics() const {
  xdp_statistics sum{};
  for (const OpenQueue& queue : opened_.queues) {
    const xdp_statistics each = queue.socket->statistics();
    sum.rx_dropped += each.rx_dropped;
    sum.rx_invalid_descs += each.rx_invalid_descs;
    sum.rx_ring_full += each.rx_ring_full;
    sum.rx_fill_ring_empty_descs += each.rx_fill_ring_empty_descs;
    sum.tx_invalid_descs += each.tx_invalid_descs;
  }
  return sum;
}

std::vector<DeviceCounter> XdpDevice::counters() const {
  const xdp_statistics sum = statistics();
  auto counters = received(sum);
  for (const DeviceCounter& counter : sent(sum)) counters.push_back(counter);
  return counters;
}

// With copy mode a frame without a buffer counts as dropped; the device counts it itself with zero copy.
std::uint64_t XdpDevice::rx_missed() const {
  const xdp_statistics sum = statistics();
  return sum.rx_dropped + sum.rx_ring_full;
}

DeviceDetails XdpDevice::details() const {
  DeviceDetails details;
  details.numa_node = host_.numa_node;
  for (const OpenQueue& queue : opened_.queues) {
    const xdp_statistics statistics = queue.socket->statistics();
    QueueDetails both{.ring = queue.socket->options().ring,
                      .mode = std::string(name_of(queue.mode)),
                      .reason = queue.reason,
                      .counters = received(statistics)};
    details.rx.push_back(both);
    if (details.tx.size() == info_.tx_queues) continue;
    both.counters = sent(statistics);
    details.tx.push_back(std::move(both));
  }
  return details;
}

}  // namespace sluice::af_xdp
