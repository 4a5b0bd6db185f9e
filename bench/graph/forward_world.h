// SPDX-License-Identifier: Apache-2.0
// A graph that forwards between null devices, for the benchmarks: packets enter at ethernet-input and are freed by the
// null device's transmit.
#pragma once
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

/// An Ethernet frame of 64 bytes has 60 before its check sequence.
inline constexpr std::size_t kFrameBytes = 60;
/// Packets that are made before each measured span, whatever the vectors' size.
inline constexpr std::size_t kSpan = kVectorMax;

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

  /// Measures packets to these destinations, one after the other, kSpan at a time, in vectors of so many. Of trace_each
  /// packets one is traced.
  template <class Address>
  void measure(benchmark::State& state, const std::vector<Address>& destinations, std::size_t vector = kVectorMax,
               std::uint64_t trace_each = 0) {
    const Bytes frame = frame_to(destinations[0]);
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
  }

 private:
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

  static Bytes frame_to(const Ip4Address& to) {
    return testing::ethernet("02::1", "02::9", kEthertypeIp4,
                             testing::ip4_packet("198.51.100.1", to.to_string(), kIpProtocolUdp,
                                                 testing::udp(1000, 2000, testing::payload(kFrameBytes - 42))));
  }
  static Bytes frame_to(const Ip6Address& to) {
    return testing::ethernet(
        "02::1", "02::9", kEthertypeIp6,
        testing::ip6_packet("2001:db8::1", to.to_string(), kIpProtocolUdp, testing::udp(1000, 2000, {})));
  }
  std::uint64_t sent() { return world.worker().counters(out)[InterfaceCounter::TxPackets].get(); }
};

}  // namespace sluice::bench
