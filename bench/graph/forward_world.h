// SPDX-License-Identifier: Apache-2.0
// A graph that forwards between null devices, for the benchmarks: packets enter at ethernet-input and are freed by the
// null device's transmit.
#pragma once
#include <sluice/net/udp.h>
#include <sluice/testing/packet_bench.h>

#include <vector>

#include "interface/offload_nodes.h"
#include "ip/nodes.h"
#include "ip/test_packets.h"
#include "null/queue.h"

namespace sluice::bench {

using testing::Bytes;
using testing::PacketTimer;
using testing::TestWorld;

/// An Ethernet frame's check sequence, which no node sees.
inline constexpr std::size_t kCheckBytes = 4;
/// Packets that are made before each measured span, whatever the vectors' size.
inline constexpr std::size_t kSpan = kVectorMax;

/// What is measured.
struct Load {
  std::size_t vector = kVectorMax;  ///< packets that come at once
  std::uint64_t trace_each = 0;     ///< of so many packets one is traced; zero: none
  std::size_t frame = 64;           ///< bytes of a frame, its check sequence included
};

struct ForwardWorld {
  static constexpr std::uint32_t kNextHops = 64;

  Rcu rcu;
  IpState ip{rcu};
  Fib<Ip4Address> fib4{ip.tables.nodes4};
  Fib<Ip6Address> fib6{ip.tables.nodes6};
  null::SinkQueue sink;
  TestWorld world;
  InterfaceIndex in, out;
  std::vector<ForwardingIndex> hops4, hops6;

  /// more registers other nodes.
  explicit ForwardWorld(const std::function<void(Registry&)>& more = {})
      : world([&](Registry& registry) {
          register_ip_nodes(registry, ip);
          register_offload_nodes(registry);
          registry.driver("null");
          if (more) more(registry);
        }) {
    ip.tables.ip4.set(TableIndex{0}, &fib4);
    ip.tables.ip6.set(TableIndex{0}, &fib6);
    in = add_interface("02::1");
    out = add_interface("02::2");
    for (std::uint32_t i = 0; i < kNextHops; ++i) {
      hops4.push_back(adjacency(kEthertypeIp4, i));
      hops6.push_back(adjacency(kEthertypeIp6, i));
    }
  }
  ~ForwardWorld() { rcu.drain(); }

  /// What the routes take, both families.
  std::size_t route_bytes() const {
    return ip.tables.nodes4.bytes() + ip.tables.nodes6.bytes() + fib4.bytes() + fib6.bytes();
  }

  /// Enables features of one arc on an interface, in this order.
  void enable(std::string_view arc, InterfaceIndex interface, const std::vector<std::string_view>& names) {
    world.features.update([&](FeatureChains& chains) {
      auto& start = chains.start[*world.graph().find_arc(arc)];
      start.resize(interface.slot() + 1);
      start[interface.slot()] = static_cast<std::uint16_t>(chains.nodes.size());
      for (const auto name : names) chains.nodes.push_back(static_cast<std::uint16_t>(world.graph().find(name).value));
      chains.nodes.push_back(FeatureChains::kEnd);
    });
    world.worker().begin_pass();
  }

  /// Calls each(packet) with a packet to each destination.
  template <class Address, class F>
  void for_each_packet(const std::vector<Address>& destinations, F&& each) {
    const Bytes frame = frame_to(destinations[0], Load{}.frame - kCheckBytes);
    std::array<Packet*, kSpan> packets;
    for (std::size_t at = 0; at < destinations.size(); at += kSpan) {
      make(packets, frame, destinations, at);
      for (Packet* packet : packets) {
        packet->pull(sizeof(EthernetHeader));
        each(*packet);
      }
      world.worker().buffers().free(packets);
    }
  }

  /// Measures packets to these destinations, one after the other, kSpan at a time. Besides the whole it says what each
  /// node and chain takes of it.
  template <class Address>
  void measure(benchmark::State& state, const std::vector<Address>& destinations, const Load& load = {}) {
    const std::size_t vector = load.vector;
    const std::uint64_t trace_each = load.trace_each;
    const Bytes frame = frame_to(destinations[0], load.frame - kCheckBytes);
    auto request = std::make_shared<TraceRequest>();
    request->buffers.push_back(std::make_unique<TraceBuffer>(1));
    if (trace_each) world.trace.update([&](TraceState& t) { t.requests.push_back(request); });
    world.worker().begin_pass();
    const NodeIndex node = world.graph().find("ethernet-input");
    Worker& worker = world.worker();
    GraphRuntime& graph = worker.graph();
    const std::uint64_t before = sent();
    std::uint64_t made = 0;
    std::array<Packet*, kSpan> packets;
    {
      PacketTimer timer(state);
      for (auto _ : state) {
        make(packets, frame, destinations, made);
        if (trace_each) trace(packets, made, trace_each, *request);
        made += kSpan;
        timer.run(kSpan, [&] {
          for (std::size_t at = 0; at < kSpan; at += vector) {
            graph.enqueue(worker, node, std::span<Packet* const>(packets.data() + at, vector));
            graph.run(worker);
          }
        });
      }
    }
    if (sent() - before != made) state.SkipWithError("not every packet was sent");
    report_cycles(state, made);
  }

 private:
  void report_cycles(benchmark::State& state, std::uint64_t packets) {
    const auto report = [&](const std::string& name, const Counter& cycles) {
      const double each = static_cast<double>(cycles.get()) / static_cast<double>(packets);
      if (each >= 0.05) state.counters["cycles/" + name] = each;
    };
    const GraphRuntime& graph = world.worker().graph();
    for (std::uint32_t i = 0; i < world.graph().nodes().size(); ++i) {
      report(world.graph().node(NodeIndex{i}).description.name, graph.node(NodeIndex{i}).cycles);
    }
    for (std::size_t i = 0; i < world.graph().chains().size(); ++i) {
      report("chain with " + world.graph().chains()[i].nodes[1], graph.chain(i).cycles);
    }
  }
  static void trace(std::array<Packet*, kSpan>& packets, std::uint64_t made, std::uint64_t each,
                    TraceRequest& request) {
    for (std::uint64_t i = (each - made % each) % each; i < kSpan; i += each) {
      packets[i]->flags |= kTraced;
      packets[i]->trace = TraceHandle::of(request.id, 0);
      request.buffers[0] = std::make_unique<TraceBuffer>(1);
      (void)request.buffers[0]->start(TraceHandle::kNone);
    }
  }
  InterfaceIndex add_interface(std::string_view address) {
    const InterfaceIndex index = world.add_interface([&](InterfaceState& s) {
      s.mac = testing::mac(address);
      s.output_node = world.graph().find("null-output");
      s.offloads = {.tx_checksum = true, .tx_tso4 = true, .tx_tso6 = true, .tx_uso = true};
    });
    world.tx.update([&](TxBindings& t) {
      t.by_worker[0].resize(index.slot() + 1);
      t.by_worker[0][index.slot()] = {&sink, 0};
    });
    world.worker().begin_pass();
    return index;
  }
  ForwardingIndex adjacency(std::uint16_t type, std::uint32_t i) {
    Forwarding object;
    object.kind = ForwardingKind::Adjacency;
    object.interface = out;
    const EthernetHeader header{MacAddress{{2, 1, 0, 0, 0, static_cast<std::uint8_t>(i)}}, testing::mac("02::2"),
                                be16(type)};
    object.rewrite_length = sizeof header;
    std::memcpy(object.rewrite.data(), &header, sizeof header);
    return *ip.tables.forwarding.add(std::move(object));
  }
  template <class Address>
  void make(std::array<Packet*, kSpan>& packets, const Bytes& frame, const std::vector<Address>& destinations,
            std::size_t at) {
    if (world.worker().buffers().alloc(packets) != kSpan) std::abort();  // the pool is larger than a span
    for (std::size_t i = 0; i < kSpan; ++i) {
      std::memcpy(packets[i]->data, frame.data(), frame.size());
      packets[i]->trim(frame.size());
      packets[i]->rx_interface = in;
      readdress(packets[i]->data + sizeof(EthernetHeader), destinations[(at + i) % destinations.size()]);
    }
  }
  static void readdress(std::byte* ip, const Ip4Address& to) {
    auto* header = reinterpret_cast<Ip4Header*>(ip);
    header->destination = to;
    set_header_checksum(*header);
  }
  static void readdress(std::byte* ip, const Ip6Address& to) { reinterpret_cast<Ip6Header*>(ip)->destination = to; }
  /// Other things than addresses say themselves what their packets are.
  template <class To>
    requires requires(const To& to, std::byte* ip) { to.readdress(ip); }
  static void readdress(std::byte* ip, const To& to) {
    to.readdress(ip);
  }
  template <class To>
    requires requires(const To& to) { to.frame(std::size_t{}); }
  static Bytes frame_to(const To& to, std::size_t bytes) {
    return to.frame(bytes);
  }

  static Bytes udp_for(std::size_t frame, std::size_t ip_header) {
    const std::size_t headers = sizeof(EthernetHeader) + ip_header + sizeof(UdpHeader);
    return testing::udp(1000, 2000, testing::payload(frame > headers ? frame - headers : 0));
  }
  static Bytes frame_to(const Ip4Address& to, std::size_t bytes) {
    return testing::ethernet(
        "02::1", "02::9", kEthertypeIp4,
        testing::ip4_packet("198.51.100.1", to.to_string(), kIpProtocolUdp, udp_for(bytes, sizeof(Ip4Header))));
  }
  static Bytes frame_to(const Ip6Address& to, std::size_t bytes) {
    return testing::ethernet(
        "02::1", "02::9", kEthertypeIp6,
        testing::ip6_packet("2001:db8::1", to.to_string(), kIpProtocolUdp, udp_for(bytes, sizeof(Ip6Header))));
  }
  std::uint64_t sent() { return world.worker().counters(out)[InterfaceCounter::TxPackets].get(); }
};

}  // namespace sluice::bench
