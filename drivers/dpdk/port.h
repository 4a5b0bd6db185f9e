// SPDX-License-Identifier: Apache-2.0
// A port of DPDK: found or made by its devargs, configured, started; stopped and taken out again when the last of its
// device and queues goes. Control thread only, but for id() and shape().
#pragma once
#include <sluice/device.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "binding.h"
#include "eal.h"
#include "mbuf.h"

namespace sluice::dpdk {

struct PortShape {
  TxShape tx;
  bool comes_round = false;  ///< what is sent is received here again, as the same buffers (net_ring)
  bool scatter = false;      ///< received packets may be longer than a buffer
};

class Port {
 public:
  static constexpr std::uint16_t kDefaultRing = 512;
  static constexpr std::uint32_t kMtuMax = 65521;
  // What fits a buffer behind DPDK's headroom, without Ethernet's header, two tags and checksum.
  static constexpr std::uint32_t kOneBufferMtu = kHeadroom + kSegmentSize - RTE_PKTMBUF_HEADROOM - 26;

  /// binding: of its card, given back when DPDK has let go of it; null: nobody's.
  static StatusOr<std::shared_ptr<Port>> open(const Node& node, const Options& options, std::shared_ptr<Memory> memory,
                                              std::unique_ptr<Binding> binding);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  std::uint16_t id() const { return id_; }
  std::uint16_t queues() const { return queues_; }
  std::uint16_t rx_ring() const { return rx_ring_; }
  std::uint16_t tx_ring() const { return tx_ring_; }
  Tick& tick() const { return memory_->tick(); }
  const PortShape& shape() const { return shape_; }
  const std::string& name() const { return name_; }
  std::string kind() const { return info_.driver_name ? info_.driver_name : "?"; }
  /// Frames go to and come from this machine's kernel as from another host (net_tap).
  bool faces_kernel() const { return kind() == "net_tap"; }
  /// Flows keep to a queue in both directions.
  bool symmetric() const { return symmetric_; }
  bool rss() const { return rss_; }
  std::uint64_t tx_offloads() const { return conf_.txmode.offloads; }
  std::uint64_t rx_offloads() const { return conf_.rxmode.offloads; }
  std::uint32_t mtu_min() const { return std::max<std::uint32_t>(info_.min_mtu, 68); }
  std::uint32_t mtu_max() const;
  std::uint32_t mtu() const { return mtu_; }
  Status set_mtu(std::uint32_t mtu);
  /// Becomes readable with packets of a queue; -1: the device has no such thing.
  int interrupt_fd(std::uint16_t queue) const;
  bool carrier() const;
  /// The device is gone for good, and why; ok while it is there.
  Status check() const;

 private:
  Port(std::shared_ptr<Memory> memory, std::unique_ptr<Binding> binding)
      : memory_(std::move(memory)), binding_(std::move(binding)) {}
  StatusOr<std::string> devargs(const Options& options) const;
  void empty_rings() const;
  void note_remove(int error);
  Status probe(const Options& options);
  Status choose(const Node& node, const Options& options);
  Status configure();
  Status start(const Options& options);
  bool has_host_link() const;
  /// The device itself has an MTU; else it takes whatever fits its slots, and DPDK's checks are of a number that means
  /// nothing.
  bool keeps_mtu() const;
  Status fails(const char* what, int error, const std::string& said) const;

  const std::shared_ptr<Memory> memory_;
  const std::unique_ptr<Binding> binding_;
  std::string name_;
  std::uint16_t id_ = RTE_MAX_ETHPORTS;
  bool mapped_ = false, configured_ = false, started_ = false;
  rte_eth_dev_info info_{};
  rte_eth_conf conf_{};
  std::array<std::uint8_t, 52> rss_key_{};
  std::uint32_t mtu_ = RTE_ETHER_MTU;
  std::uint16_t queues_ = 1, rx_ring_ = kDefaultRing, tx_ring_ = kDefaultRing;
  PortShape shape_;
  bool rss_ = false, symmetric_ = false;
  std::atomic<bool> removed_{false};
};

}  // namespace sluice::dpdk
