// SPDX-License-Identifier: Apache-2.0
#include "port.h"

#include <linux/if_tun.h>
#include <net/if.h>
#include <sluice/log.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>

#include "log.h"

namespace sluice::dpdk {
namespace {

bool has(std::uint64_t capabilities, std::uint64_t flags) { return (capabilities & flags) == flags; }

int note_removal(std::uint16_t, rte_eth_event_type, void* removed, void*) {
  static_cast<std::atomic<bool>*>(removed)->store(true);
  return 0;
}

}  // namespace

Status Port::fails(const char* what, int error, const std::string& said) const {
  return unavailable("{}: {}: {} ({})", name_, what, rte_strerror(error < 0 ? -error : error), said);
}

StatusOr<std::shared_ptr<Port>> Port::open(const Node& node, const Options& options, std::shared_ptr<Memory> memory,
                                           std::unique_ptr<Binding> binding) {
  std::shared_ptr<Port> port(new Port(std::move(memory), std::move(binding)));
  if (Status status = port->probe(options); !status.ok()) return status;
  if (Status status = port->choose(node, options); !status.ok()) return status;
  if (Status status = port->configure(); !status.ok()) return status;
  if (Status status = port->start(options); !status.ok()) return status;
  return port;
}

/// What DPDK is given. net_tap would join a tap that another program serves as one more queue of it, and get some of
/// its packets; persist says that one which is there is wanted.
StatusOr<std::string> Port::devargs(const Options& options) const {
  std::string all = options.devargs();
  if (!name_.starts_with("net_tap")) return all;
  constexpr std::string_view kKey = ",iface=";
  if (all.find(kKey) == std::string::npos) all += fmt::format("{}{}", kKey, name_);
  std::string link = all.substr(all.find(kKey) + kKey.size());
  link = link.substr(0, link.find(','));
  if (all.find(",persist") == std::string::npos && if_nametoindex(link.c_str()) != 0)
    return exists("{}: the kernel has an interface {} already; give iface another name, or delete that one", name_,
                  link);
  return all;
}

Status Port::probe(const Options& options) {
  name_ = options.device_name();
  std::uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(name_.c_str(), &id) == 0)
    return exists("{}: another interface is of this device; delete that one first, or give a vdev another number",
                  name_);
  const auto arguments = devargs(options);
  if (!arguments.ok()) return arguments.status();
  const Said said;
  const int error = rte_dev_probe(arguments->c_str());
  if (error != 0) {
    const char* mend = options.pci.empty() ? "; look for a typing error, and whether the driver's package is installed"
                                           : "; it must be there and bound to vfio-pci, which `bind` does";
    return not_found("{}: DPDK makes no device of it: {} ({}){}", name_, rte_strerror(-error), said.text(), mend);
  }
  RTE_ETH_FOREACH_DEV(id) {
    rte_eth_dev_info info{};
    if (rte_eth_dev_info_get(id, &info) != 0 || !info.device || name_ != rte_dev_name(info.device)) continue;
    id_ = id;
    info_ = info;
    rte_eth_dev_callback_register(id_, RTE_ETH_EVENT_INTR_RMV, note_removal, &removed_);
    if (options.pci.empty()) return {};
    if (Status status = memory_->map(info_.device); !status.ok()) return status;
    mapped_ = true;
    return {};
  }
  note_remove(rte_eal_hotplug_remove(options.pci.empty() ? "vdev" : "pci", name_.c_str()));
  return not_found("{}: it is no network device", name_);
}

/// What the device is to do, of what it can.
Status Port::choose(const Node& node, const Options& options) {
  const unsigned most = std::min(info_.max_rx_queues, info_.max_tx_queues);
  if (most == 0) return failed_precondition("{}: it has no queues", name_);
  if (options.queues > most) return refused("{}: queues {}: it has {} at most", name_, options.queues, most);
  queues_ = static_cast<std::uint16_t>(options.queues ? options.queues : std::min(node.workers, most));
  rx_ring_ = tx_ring_ = options.ring ? options.ring : kDefaultRing;
  std::uint16_t mtu = RTE_ETHER_MTU;
  rte_eth_dev_get_mtu(id_, &mtu);
  mtu_ = options.mtu ? options.mtu : mtu;
  shape_.scatter = mtu_ > kOneBufferMtu && has(info_.rx_offload_capa, RTE_ETH_RX_OFFLOAD_SCATTER);
  if (mtu_ < mtu_min() || mtu_ > mtu_max())
    return refused("{}: mtu {}: it takes {} to {} bytes", name_, mtu_, mtu_min(), mtu_max());
  conf_.rxmode.mtu = keeps_mtu() ? mtu_ : mtu;
  if (shape_.scatter) conf_.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
  // net_tap reads each packet into as many buffers as the ring has.
  if (kind() == "net_tap" && shape_.scatter) rx_ring_ = std::uint16_t{64};
  constexpr std::uint64_t kRxSums =
      RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
  if (has(info_.rx_offload_capa, kRxSums)) conf_.rxmode.offloads |= kRxSums;
  constexpr std::uint64_t kTxSums = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
  if (has(info_.tx_offload_capa, kTxSums)) conf_.txmode.offloads |= kTxSums;
  shape_.tx.chains = has(info_.tx_offload_capa, RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
  if (shape_.tx.chains) conf_.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  shape_.tx.segments = info_.tx_desc_lim.nb_seg_max ? info_.tx_desc_lim.nb_seg_max : std::uint16_t{255};
  // A packet of 64 KiB to be cut lies in up to 33 buffers, and its headers in one more.
  constexpr std::uint64_t kTso = RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | kTxSums;
  // net_tap refuses segments of a full MTU: it counts the Ethernet header as part of that.
  if (kind() != "net_tap" && has(info_.tx_offload_capa, kTso) && shape_.tx.chains && shape_.tx.segments >= 34)
    conf_.txmode.offloads |= kTso;
  shape_.comes_round = kind() == "net_ring";
  conf_.intr_conf.rxq = 1;
  return {};
}

bool Port::keeps_mtu() const {
  return kind() != "net_memif" && kind() != "net_af_packet" && kind() != "net_ring" && kind() != "net_null";
}

std::uint32_t Port::mtu_max() const {
  std::uint32_t most = kMtuMax;
  if (keeps_mtu()) {
    if (info_.max_mtu) most = std::min<std::uint32_t>(most, info_.max_mtu);
    // What DPDK compares a frame with: its header and checksum count.
    constexpr std::uint32_t kFrame = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
    if (info_.max_rx_pktlen > kFrame) most = std::min(most, std::max(info_.max_rx_pktlen - kFrame, mtu_min()));
  }
  // These give chains without being asked to.
  const bool chains = shape_.scatter || kind() == "net_ring" || kind() == "net_memif" || kind() == "net_null";
  return chains ? most : std::min(most, kOneBufferMtu);
}

Status Port::set_mtu(std::uint32_t mtu) {
  const Said said;
  const int error = keeps_mtu() ? rte_eth_dev_set_mtu(id_, static_cast<std::uint16_t>(mtu)) : 0;
  if (error == -EBUSY)
    return failed_precondition(
        "{}: its driver changes the MTU of a stopped device only; make the interface with mtu {}", name_, mtu);
  // Drivers without such a call have no limit of their own.
  if (error != 0 && error != -ENOTSUP)
    return failed_precondition("{}: mtu {}: {} ({})", name_, mtu, rte_strerror(-error), said.text());
  mtu_ = mtu;
  return {};
}

Status Port::configure() {
  constexpr std::uint64_t kAddresses = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER |
                                       RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER;
  constexpr std::uint64_t kPorts = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |
                                   RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;
  const std::uint64_t types = info_.flow_type_rss_offloads & (kAddresses | kPorts);
  if (queues_ > 1 && types != 0) {
    rss_ = true;
    conf_.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf_.rx_adv_conf.rss_conf.rss_hf = types;
    // With this key Toeplitz's hash is the same for both directions of a flow.
    for (std::size_t i = 0; i < rss_key_.size(); ++i) rss_key_[i] = i % 2 ? 0x5a : 0x6d;
    if (info_.hash_key_size > 0 && info_.hash_key_size <= rss_key_.size()) {
      symmetric_ = has(types, kPorts);
      conf_.rx_adv_conf.rss_conf.rss_key = rss_key_.data();
      conf_.rx_adv_conf.rss_conf.rss_key_len = info_.hash_key_size;
    }
  }
  const Said said;
  if (const int error = rte_eth_dev_configure(id_, queues_, queues_, &conf_); error != 0)
    return fails("it takes no such configuration", error, said.text());
  configured_ = true;
  if (const int error = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx_ring_, &tx_ring_); error != 0)
    return fails("its rings", error, said.text());
  const int socket = rte_eth_dev_socket_id(id_);
  const auto numa = static_cast<unsigned>(socket < 0 ? SOCKET_ID_ANY : socket);
  rte_eth_rxconf rx = info_.default_rxconf;
  rx.offloads = conf_.rxmode.offloads;
  rte_eth_txconf tx = info_.default_txconf;
  tx.offloads = conf_.txmode.offloads;
  for (std::uint16_t queue = 0; queue < queues_; ++queue) {
    if (const int error = rte_eth_rx_queue_setup(id_, queue, rx_ring_, numa, &rx, memory_->mempool()); error != 0)
      return fails("a receive queue", error, said.text());
    if (const int error = rte_eth_tx_queue_setup(id_, queue, tx_ring_, numa, &tx); error != 0)
      return fails("a transmit queue", error, said.text());
  }
  return {};
}

Status Port::start(const Options& options) {
  const Said said;
  if (options.mtu != 0) {
    if (Status status = set_mtu(options.mtu); !status.ok()) return status;
  }
  if (const int error = rte_eth_dev_start(id_); error != 0) return fails("it does not start", error, said.text());
  started_ = true;
  // Devices that have no such switch give all packets.
  if (options.promiscuous) {
    rte_eth_promiscuous_enable(id_);
  } else {
    rte_eth_promiscuous_disable(id_);
    rte_eth_allmulticast_enable(id_);
  }
  return {};
}

int Port::interrupt_fd(std::uint16_t queue) const {
  // Cards only. A virtual device's descriptor is another one with a new peer, and nobody would tell the worker; net_tap
  // learns of packets by a signal, which may come after the descriptor's event.
  if (name_.find(':') == std::string::npos) return -1;
  return rte_eth_dev_rx_intr_ctl_q_get_fd(id_, queue);
}

/// The kernel's interface that this device is made of is in the daemon's namespace.
bool Port::has_host_link() const {
  char name[IF_NAMESIZE];
  return info_.if_index == 0 || if_indextoname(info_.if_index, name) || errno != ENXIO;
}

bool Port::carrier() const {
  // A tap that was moved to another namespace cannot be asked.
  if (kind() == "net_tap" && !has_host_link()) return true;
  rte_eth_link link{};
  return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

Status Port::check() const {
  if (removed_ || rte_eth_dev_is_removed(id_) == 1) return not_found("{}: the device was removed", name_);
  if (kind() == "net_tap") {
    ifreq request{};
    const int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(id_, 0);
    if (fd >= 0 && ioctl(fd, TUNGETIFF, &request) != 0 && errno == EBADFD)
      return not_found("{}: the kernel's interface was deleted", name_);
  }
  if (kind() == "net_af_packet" && !has_host_link()) return not_found("{}: the kernel's interface was deleted", name_);
  return {};
}

/// What was sent and not received again: net_ring forgets its rings with all that is in them.
void Port::empty_rings() const {
  std::array<rte_mbuf*, 64> mbufs;
  for (std::uint16_t queue = 0; queue < queues_; ++queue) {
    while (const std::uint16_t n = rte_eth_rx_burst(id_, queue, mbufs.data(), mbufs.size()))
      rte_pktmbuf_free_bulk(mbufs.data(), n);
  }
}

/// A card that DPDK still has must not go to the kernel as well.
void Port::note_remove(int error) {
  if (error == 0) return;
  if (binding_) binding_->keep();
  log(LogLevel::Error, "device not removed from DPDK", field("device", name_),
      field("reason", rte_strerror(error < 0 ? -error : error)), field("stays", binding_ ? "on vfio-pci" : "there"));
}

Port::~Port() {
  if (id_ == RTE_MAX_ETHPORTS) return;
  rte_eth_dev_callback_unregister(id_, RTE_ETH_EVENT_INTR_RMV, note_removal, &removed_);
  if (started_ && shape_.comes_round) empty_rings();
  if (started_) rte_eth_dev_stop(id_);
  if (mapped_) memory_->unmap(info_.device);
  rte_device* device = info_.device;
  rte_eth_dev_close(id_);
  note_remove(rte_dev_remove(device));
}

}  // namespace sluice::dpdk
