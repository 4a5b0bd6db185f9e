// SPDX-License-Identifier: Apache-2.0
// The IP layer's graph for the fuzz targets: two TUNs, two Ethernet interfaces, routes of every kind. A buffer that is
// not given back aborts.
#pragma once
#include <cstdlib>
#include <vector>

#include "ip/ip_path_fixture.h"

namespace sluice::fuzz {

struct IpWorld : testing::IpPath {
  InterfaceIndex pod = tun(), small = tun(576), eth = ethernet_interface("02::1"), host = ethernet_interface("02::a");

  IpWorld() {
    using testing::Bytes;
    const Bytes rewrite(14, 2);
    route4("0.0.0.0/0", add(ForwardingKind::Adjacency, eth, rewrite));
    route4("10.0.0.0/8", add(ForwardingKind::Adjacency, small));
    route4("10.1.0.0/16", add(ForwardingKind::Connected, eth));
    route4("10.2.0.0/16", add(ForwardingKind::Blackhole));
    route4("10.3.0.0/16", add(ForwardingKind::Prohibit));
    route6("::/0", add(ForwardingKind::Adjacency, eth, rewrite));
    route6("fd00::/16", add(ForwardingKind::Adjacency, small));
    route6("fd01::/16", add(ForwardingKind::Connected, eth));
    own4(eth, "192.0.2.1", 24);
    own6(eth, "2001:db8::1", 64);
    const auto direct = add(ForwardingKind::Connected, eth);
    ip.tables.links.update([&](LinkTable& t) {
      t.by_slot.resize(8);
      t.by_slot[eth.slot()] = {direct, {testing::ip6("fe80::1")}};
    });
    ip.addresses.update([&](AddressTable& t) {
      t.by_slot[eth.slot()].ip6.push_back({testing::ip6("fe80::1"), 64, false});
      t.by_slot[eth.slot()].ip6.push_back({testing::ip6("2001:db8::2"), 64, true});
    });
    ip.punt.update([&](PuntTarget& t) { t = {host, true, testing::mac("02::b")}; });
  }

  static IpWorld& get() {
    static IpWorld* world = new IpWorld;  // never destroyed: libFuzzer ends by exit()
    return *world;
  }

  /// One packet into a node, in segments of segment_size, traced or not.
  void give(InterfaceIndex in, std::string_view node, std::span<const std::uint8_t> bytes, bool traced = false,
            std::size_t segment_size = kSegmentSize, const std::function<void(Packet&)>& prepare = {}) {
    Packet* packet = world.make(bytes, segment_size);
    packet->rx_interface = in;
    packet->l2_offset = packet->l3_offset = packet->offset();
    packet->trace = 0;
    if (traced) packet->flags |= kTraced;
    if (prepare) prepare(*packet);
    world.worker().graph().enqueue(world.worker(), world.graph().find(node), std::span<Packet* const>(&packet, 1));
    run();
  }
  /// After each input: what waits goes, and every buffer must be back.
  void check() {
    world.worker().graph().flush_held(world.worker());
    world.worker().buffers().publish_count();
    if (world.pool().usage().used != 0) std::abort();
    sent.by_interface.clear();
    messages();
    rcu.drain();
  }
};

}  // namespace sluice::fuzz
