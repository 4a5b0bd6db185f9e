// SPDX-License-Identifier: Apache-2.0
// IPv4 forwarding between two of DPDK's virtual devices, by the driver, the graph and the worker's thread of sluiced,
// in a process without the rest of it: only here can packets be stamped (see dpdk_stamp.h), which is no business of a
// node.
//
// usage: dpdk_forward CPU SECONDS null|ring
#include "dpdk_stamp.h"
// (DPDK's first header, rte_config.h, is in there)
#include <sluice/net/ethernet.h>
#include <sluice/registry.h>
#include <sluice/worker.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "core/worker_thread.h"
#include "dpdk/eal.h"
#include "interface/offload_nodes.h"
#include "ip/nodes.h"

extern "C" void sluice_dpdk_open(const sluice::dpdk::Node& node, const sluice::dpdk::Options& options,
                                 sluice::StatusOr<std::unique_ptr<sluice::dpdk::DpdkDevice>>& opened);

namespace sluice::bench {
namespace {

constexpr std::uint32_t kBuffers = 16384, kSeed = 64;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "dpdk_forward: %s\n", what.c_str());
  std::exit(1);
}

struct Side {
  std::unique_ptr<dpdk::DpdkDevice> device;
  std::vector<std::unique_ptr<RxQueue>> rx;
  std::vector<std::unique_ptr<TxQueue>> tx;
  InterfaceIndex interface;
  Stamp stamp;
};

class Forwarder {
 public:
  Forwarder(const std::string& kind, int cpu) {
    register_ip_nodes(registry_, ip_);
    register_offload_nodes(registry_);
    registry_.driver("dpdk");
    auto pool = BufferPool::create({.buffers = kBuffers, .hugepages = true});
    auto graph = Graph::build(registry_);
    if (!pool.ok() || !graph.ok()) fail(text(pool.ok() ? graph.status() : pool.status()));
    std::fprintf(stderr, "dpdk_forward: buffers lie in %s\n", std::string((*pool)->page_kind()).c_str());
    pool_ = std::move(*pool);
    graph_ = std::move(*graph);
    features_.update([&](FeatureChains& chains) { chains.start.resize(graph_->arcs().size()); });
    tx_.update([](TxBindings& bindings) { bindings.by_worker.resize(1); });
    worker_ =
        std::make_unique<Worker>(0, 2, WorkerShared{*pool_, *graph_, interfaces_, features_, tx_, trace_, capture_});
    thread_ = std::make_unique<WorkerThread>(rcu_, *worker_, cpu);
    ip_.tables.ip4.set(TableIndex{0}, &fib_);
    for (int i = 0; i < 2; ++i) open(sides_[i], "net_" + kind + std::to_string(i), i);
    for (int i = 0; i < 2; ++i) route(sides_[i], i);
    if (kind == "ring") seed();
  }
  ~Forwarder() {
    thread_->stop();
    for (Side& side : sides_) {
      if (side.rx.empty()) continue;
      thread_->remove(side.rx[0].get());
    }
    rcu_.drain();
    drain_rings();
    for (Side& side : sides_) {
      side.rx.clear();
      side.tx.clear();
      side.device.reset();
    }
  }

  /// Millions of packets a second, both ways together, by the time that the worker has had of its core.
  double measure(double seconds) {
    for (Side& side : sides_) {
      if (!thread_->add({side.rx[0].get(), side.interface, graph_->find("dpdk-input"), RxMode::Polling}).ok())
        fail("no place for a queue");
    }
    thread_->start();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const std::uint64_t before = sent();
    const auto began = thread_->cpu_time();
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    const std::uint64_t packets = sent() - before;
    const std::chrono::duration<double> took = thread_->cpu_time() - began;
    thread_->stop();
    if (dropped() > 0) fail("packets were dropped: " + std::to_string(dropped()));
    return static_cast<double>(packets) / took.count() / 1e6;
  }

 private:
  void open(Side& side, const std::string& vdev, int number) {
    StatusOr<std::unique_ptr<dpdk::DpdkDevice>> opened;
    sluice_dpdk_open({*pool_, 1, ""}, {.vdev = vdev, .queues = 1}, opened);
    if (!opened.ok()) fail(text(opened.status()));
    side.device = std::move(*opened);
    side.rx = std::move(*side.device->open_rx());
    side.tx = std::move(*side.device->open_tx());
    side.interface = InterfaceIndex(static_cast<std::uint32_t>(number), 1);
    interfaces_.update([&](InterfaceTable& table) {
      InterfaceState state;
      state.index = side.interface;
      state.up = true;
      state.mac = side.device->info().mac;
      state.output_node = graph_->find("dpdk-output");
      state.offloads = side.device->info().offloads;
      table.slots.push_back(state);
    });
    tx_.update([&](TxBindings& bindings) {
      bindings.by_worker[0].resize(side.interface.slot() + 1);
      bindings.by_worker[0][side.interface.slot()] = {side.tx[0].get(), 0};
    });
    // What comes here goes to the network of the other side.
    side.stamp = make_stamp(reinterpret_cast<const std::uint8_t*>(&side.device->info().mac),
                            static_cast<std::uint8_t>(1 - number));
    std::uint16_t port = 0;
    if (rte_eth_dev_get_port_by_name(vdev.c_str(), &port) != 0 || !stamp_port(port, side.stamp)) fail("no callback");
  }
  void route(const Side& side, int number) {
    Forwarding object;
    object.kind = ForwardingKind::Adjacency;
    object.interface = side.interface;
    const EthernetHeader header{MacAddress{{2, 0, 0, 0, 0, static_cast<std::uint8_t>(number + 1)}},
                                side.device->info().mac, be16(kEthertypeIp4)};
    object.rewrite_length = sizeof header;
    std::memcpy(object.rewrite.data(), &header, sizeof header);
    const ForwardingIndex hop = *ip_.tables.forwarding.add(std::move(object));
    const Prefix4 prefix{Ip4Address(0xc6130000u + (static_cast<std::uint32_t>(number) << 8)), 24};
    if (!fib_.set(prefix, hop).ok()) fail("no route");
  }
  void seed() {
    for (Side& side : sides_) {
      for (std::uint32_t i = 0; i < kSeed; ++i) {
        Packet* const packet = worker_->buffers().alloc();
        if (!packet) fail("no buffers");
        packet->trim(64);
        if (side.tx[0]->transmit(*worker_, std::array{packet}) != 1) fail("the ring takes no packets");
      }
    }
  }
  void drain_rings() {
    for (Side& side : sides_) {
      std::array<Packet*, kVectorMax> packets;
      for (int i = 0; i < 2; ++i) {
        const std::size_t n = side.rx[0]->receive(*worker_, packets);
        worker_->buffers().free(std::span<Packet* const>(packets.data(), n));
      }
    }
  }
  std::uint64_t sum(InterfaceCounter counter) {
    std::uint64_t all = 0;
    for (const Side& side : sides_) all += worker_->counters(side.interface)[counter].get();
    return all;
  }
  std::uint64_t sent() { return sum(InterfaceCounter::TxPackets); }
  std::uint64_t dropped() { return sum(InterfaceCounter::Drops); }

  Rcu rcu_;
  IpState ip_{rcu_};
  Fib<Ip4Address> fib_{ip_.tables.nodes4};
  Registry registry_;
  Published<InterfaceTable> interfaces_{rcu_};
  Published<FeatureChains> features_{rcu_};
  Published<TxBindings> tx_{rcu_};
  Published<TraceState> trace_{rcu_};
  Published<CaptureState> capture_{rcu_};
  std::unique_ptr<BufferPool> pool_;
  std::unique_ptr<Graph> graph_;
  std::unique_ptr<Worker> worker_;
  std::array<Side, 2> sides_;
  std::unique_ptr<WorkerThread> thread_;
};

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  if (argc != 4) sluice::bench::fail("usage: dpdk_forward CPU SECONDS null|ring");
  sluice::bench::Forwarder forwarder(argv[3], std::atoi(argv[1]));
  std::printf("Mpps %.3f\n", forwarder.measure(std::atof(argv[2])));
  return 0;
}
