// SPDX-License-Identifier: Apache-2.0
// The IP layer's graph with tunnels, for the fuzz targets: what comes out of one may go into another.
#pragma once
#include <sluice/tunnel/encapsulate.h>
#include <sluice/tunnel/peer.h>

#include <array>
#include <cstdlib>

#include "ip/ip_path_fixture.h"

namespace sluice::fuzz {

/// Kind: the plugin's State, and how its nodes are registered and given their tunnels.
template <class Kind>
struct TunnelWorld {
  static constexpr Ip4Address kHere4{0xc0000201}, kThere4{0xc0000202};  // 192.0.2.1, 192.0.2.2
  const Ip6Address here6 = testing::ip6("2001:db8::1"), there6 = testing::ip6("2001:db8::2");

  Rcu rcu;
  typename Kind::State state{rcu, nullptr};
  std::array<TunnelRemote, 2> remotes;  // over IPv4 and over IPv6
  testing::IpPath path{[this](Registry& registry) { Kind::add(registry, state); }};
  InterfaceIndex eth = path.ethernet_interface("02::1"), pod = path.tun();
  std::array<InterfaceIndex, 2> tunnels{tunnel(), tunnel()};

  TunnelWorld() {
    state.ip = &path.ip.tables;
    state.arcs = TunnelArcs::of(path.world.graph());
    path.own4(eth, "192.0.2.1", 24);
    path.own6(eth, "2001:db8::1", 64);
    const auto out = path.add(ForwardingKind::Adjacency, eth, testing::Bytes(14, 2));
    path.route4("0.0.0.0/0", out);
    path.route6("::/0", out);
    path.route4("10.1.0.0/16", path.add(ForwardingKind::Adjacency, pod));
    path.route6("fd00:1::/32", path.add(ForwardingKind::Adjacency, pod));
    for (std::size_t i = 0; i < remotes.size(); ++i) {
      remotes[i].forwarding = out.value;
      remotes[i].mtu = 1400;
      const std::string four = "10." + std::to_string(2 + i) + ".0.0/16",
                        six = "fd00:" + std::to_string(2 + i) + "::/32";
      path.route4(four, path.add(ForwardingKind::Adjacency, tunnels[i], Kind::rewrite(kEthertypeIp4)));
      path.route6(six, path.add(ForwardingKind::Adjacency, tunnels[i], Kind::rewrite(kEthertypeIp6)));
    }
    Kind::connect(*this);
    path.world.worker().begin_pass();
  }
  InterfaceIndex tunnel() {
    return path.world.add_interface([&](InterfaceState& s) {
      s.link = Kind::kLink;
      s.mac = testing::mac("02::5");
      s.output_node = path.world.graph().find(Kind::kOutput);
    });
  }
  NodeIndex node(std::string_view name) { return path.world.graph().find(name); }

  static TunnelWorld& get() {
    static TunnelWorld* world = new TunnelWorld;  // never destroyed: libFuzzer ends by exit()
    return *world;
  }

  /// Any bytes from the underlay, through the whole graph. The first byte chooses segment size, tracing and family.
  int run(std::span<const std::uint8_t> bytes) {
    if (bytes.empty() || bytes.size() > 4096) return 0;
    const unsigned choice = bytes[0];
    Packet* packet = path.world.make(bytes.subspan(1), choice & 2 ? 64 : kSegmentSize);
    packet->rx_interface = eth;
    packet->trace = 0;
    if (choice & 1) packet->flags |= kTraced;
    Worker& worker = path.world.worker();
    const NodeIndex entry = node(choice & 4 ? "ip6-input" : "ip4-input");
    worker.graph().enqueue(worker, entry, std::span<Packet* const>(&packet, 1));
    path.run();
    worker.graph().flush_held(worker);
    worker.buffers().publish_count();
    if (path.world.pool().usage().used != 0) std::abort();
    path.sent.by_interface.clear();
    path.messages();
    path.rcu.drain();
    return 0;
  }
};

}  // namespace sluice::fuzz
