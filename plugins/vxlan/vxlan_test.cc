// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sluice/testing/node_test.h>
#include <sluice/testing/packet_builder.h>
#include <sluice/tunnel/peer.h>

#include <random>

#include "vxlan_decap.h"
#include "vxlan_errors.h"
#include "vxlan_output.h"

namespace sluice::vxlan {
namespace {

using testing::Bytes;
using testing::NodeTest;
using testing::packet;
using testing::verdict;

const Ip4Address kHere4 = *Ip4Address::parse("192.0.2.1"), kThere4 = *Ip4Address::parse("192.0.2.2");
const Ip6Address kHere6 = *Ip6Address::parse("2001:db8::1"), kThere6 = *Ip6Address::parse("2001:db8::2");
constexpr std::uint32_t kVni = 4096;

Bytes frame() {
  return packet().ethernet("02::7", "02::8").ip4("10.2.0.2", "10.1.0.2").udp(1, 2).payload("inside").bytes();
}
Bytes vxlan(const Bytes& inside, std::uint32_t vni = kVni, std::uint8_t flags = VxlanHeader::kVniValid) {
  VxlanHeader header{flags, {0xff, 0xff, 0xff}, be32(vni << 8 | 0xff)};  // what is reserved is ignored
  Bytes bytes(sizeof header + inside.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  std::copy(inside.begin(), inside.end(), bytes.begin() + sizeof header);
  return bytes;
}
Bytes in4(const Bytes& body, const char* from = "192.0.2.2", std::uint16_t port = kPort) {
  return packet().ip4(from, "192.0.2.1").udp(50000, port).payload(body).bytes();
}
Bytes in6(const Bytes& body, const char* from = "2001:db8::2") {
  return packet().ip6(from, "2001:db8::1").udp(50000, kPort).payload(body).bytes();
}

struct VxlanNodes : ::testing::Test {
  Rcu rcu;
  IpTables tables{rcu};
  State state{rcu, &tables};
  ~VxlanNodes() override { rcu.drain(); }
  void connect(InterfaceIndex tunnel) {
    state.decap.update([&](DecapTable& t) {
      const std::uint64_t id = DecapTable::id(kVni, kPort, TableIndex{0});
      t.ip4.set(TunnelKey4::of(kThere4, kHere4, id), tunnel);
      t.ip6.set(TunnelKey6::of(kThere6, kHere6, id), tunnel);
    });
  }
  /// As ip4-local and ip6-local hand packets on: behind a checked UDP header.
  static void local(Packet& p) {
    const std::size_t ip = std::to_integer<unsigned>(*p.data) >> 4 == 6 ? 40 : 20;
    p.table = TableIndex{0};
    p.l4_offset = static_cast<std::uint16_t>(p.l3_offset + ip);
    p.pull(ip + 8);
  }
};

TEST_F(VxlanNodes, DecapTakesTheHeadersOffAndNamesEachDrop) {
  NodeTest<VxlanDecap> node{state};
  using Next = VxlanDecap::Next;
  using Drop = VxlanDecap::Drop;
  node.prepare = local;
  EXPECT_EQ(node.run({in4(vxlan(frame()))})[0], verdict(Drop::UnknownTunnel)) << "no tunnels at all";
  connect(node.interface_of(0));
  EXPECT_EQ(node.run({in4(vxlan(frame()))})[0], verdict(Next::EthernetInput).with(frame()));
  EXPECT_EQ(node.run({in6(vxlan(frame()))})[0], verdict(Next::EthernetInput).with(frame()));
  EXPECT_EQ(node.run({in4(vxlan(frame(), kVni + 1))})[0], verdict(Drop::UnknownTunnel));
  EXPECT_EQ(node.run({in4(vxlan(frame()), "192.0.2.3")})[0], verdict(Drop::UnknownTunnel));
  EXPECT_EQ(node.run({in6(vxlan(frame()), "2001:db8::3")})[0], verdict(Drop::UnknownTunnel));
  EXPECT_EQ(node.run({in4(vxlan(frame()), "192.0.2.2", 8472)})[0], verdict(Drop::UnknownTunnel));
  EXPECT_EQ(node.run({in4(vxlan(frame(), kVni, 0xf7))})[0], verdict(Drop::BadFlags));
  for (std::size_t n = 0; n < 8 + 14; ++n) {
    Bytes cut = vxlan(frame());
    cut.resize(n);
    EXPECT_EQ(node.run({in4(cut)})[0], verdict(Drop::Truncated)) << n;
    EXPECT_EQ(node.run({in6(cut)})[0], verdict(Drop::Truncated)) << n;
  }
  // UDP ends before IP does: what is behind is no part of the frame.
  Bytes longer = in4(vxlan(frame()));
  longer.resize(longer.size() + 5);
  EXPECT_EQ(node.run({longer})[0], verdict(Next::EthernetInput).with(frame()));
  node.prepare = [](Packet& p) {
    p.data[1] = std::byte{kEcnCongestion};
    local(p);
  };
  EXPECT_EQ(node.run({in4(vxlan(frame()))})[0], verdict(Drop::Congestion));
  for (std::size_t n = 14; n < 14 + 20; ++n) {
    Bytes cut = frame();
    cut.resize(n);
    EXPECT_EQ(node.run({in4(vxlan(cut))})[0], verdict(Drop::Truncated)) << n;
  }
  node.prepare = local;
  node.world.interfaces.update([](InterfaceTable& t) { t.slots[0].up = false; });
  EXPECT_EQ(node.run({in4(vxlan(frame()))})[0], verdict(Drop::TunnelDown));
}

TEST_F(VxlanNodes, DecapSurvivesAMillionRandomFrames) {
  NodeTest<VxlanDecap> node{state};
  connect(node.interface_of(0));
  std::mt19937 random(1);
  Worker& worker = node.world.worker();
  node.kernel.begin(worker);
  const std::vector<Bytes> good{in4(vxlan(frame())), in6(vxlan(frame()))};
  std::size_t through = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    Bytes bytes = good[random() % good.size()];
    const std::size_t least = bytes[0] >> 4 == 6 ? 48 : 28;
    for (std::size_t flips = random() % 4; flips > 0; --flips)
      bytes[1 + random() % (bytes.size() - 1)] = static_cast<std::uint8_t>(random());
    bytes.resize(std::max<std::size_t>(least, random() % (bytes.size() + 1)));
    // ip4-local has checked the length.
    const std::size_t udp_bytes = bytes.size() - (least - 8);
    bytes[least - 4] = 0;
    bytes[least - 3] = static_cast<std::uint8_t>(8 + random() % (udp_bytes - 7));
    Packet* p = node.world.make(bytes);
    p->rx_interface = node.interface_of(1);
    p->l3_offset = p->offset();
    local(*p);
    auto key = node.kernel.prepare(*p, worker);
    through += node.kernel.finish(*p, key, worker, nullptr).code() == 0;
    worker.buffers().free(p);
  }
  EXPECT_GT(through, 10'000u);
}

struct VxlanOutputs : VxlanNodes {
  TunnelRemote remote;
  void lead(InterfaceIndex tunnel, ForwardingKind kind, std::uint32_t mtu) {
    Forwarding object;
    object.kind = kind;
    remote.forwarding = tables.forwarding.add(std::move(object))->value;
    remote.mtu = mtu;
    const Bytes behind(16);
    TunnelPeer::fill_headers(
        remote, {kHere4, kThere4},
        {.protocol = kIpProtocolUdp, .behind = std::as_bytes(std::span(behind)), .udp = true, .inner_link_bytes = 14});
    state.encap.update([&](EncapTable& t) {
      t.by_slot.resize(tunnel.slot() + 1);
      t.by_slot[tunnel.slot()].has_addresses = true;
      t.addresses.set(MacKey::of(*MacAddress::parse("02::8"), tunnel.slot()), tunnel, 0);
      t.remotes = {&remote};
    });
  }
};

TEST_F(VxlanOutputs, SendsToTheRemoteOfTheAddressAndNamesEachDrop) {
  NodeTest<VxlanOutput> node{state};
  using Next = VxlanOutput::Next;
  using Drop = VxlanOutput::Drop;
  const InterfaceIndex tunnel = node.interface_of(0);
  node.neighbours_matter = true;  // identifications count up
  node.prepare = [&](Packet& p) {
    p.tx_interface = tunnel;
    p.l3_offset = static_cast<std::uint16_t>(p.offset() + 14);  // routed here
    p.l4_offset = static_cast<std::uint16_t>(p.offset() + 34);
  };
  const auto ip = [](std::size_t size) {
    return packet().ethernet("02::7", "02::8").ip4("10.2.0.2", "10.1.0.2").udp(1, 2).payload_size(size);
  };
  EXPECT_EQ(node.run({frame()})[0], verdict(Drop::UnknownAddress));
  lead(tunnel, ForwardingKind::Adjacency, 1000);
  EXPECT_EQ(node.run({frame()})[0], verdict(Next::Ip4Rewrite));
  EXPECT_EQ(node.run({packet().ethernet("02::7", "02::9").payload("x").bytes()})[0], verdict(Drop::UnknownAddress));
  EXPECT_EQ(node.run({Bytes(13)})[0], verdict(Drop::Truncated));
  Bytes cut = frame();
  cut.resize(14 + 19);
  EXPECT_EQ(node.run({cut})[0], verdict(Drop::Truncated));
  EXPECT_EQ(node.run({ip(2000).bytes()})[0], verdict(Next::Ip4Fragment));
  EXPECT_EQ(
      node.run(
          {packet().ethernet("02::7", "02::8").ip4("10.2.0.2", "10.1.0.2").dont_fragment().payload_size(2000).bytes()})
          [0],
      verdict(Next::Ip4IcmpError));
  EXPECT_EQ(node.run({packet().ethernet("02::7", "02::8").ip6("fd00::1", "fd00::2").payload_size(1300).bytes()})[0],
            verdict(Next::Ip6IcmpError));
  Bytes other = ip(2000).bytes();
  other[12] = 0x88;
  EXPECT_EQ(node.run({other})[0], verdict(Drop::TooLong));
  node.prepare = [&](Packet& p) { p.tx_interface = tunnel; };
  EXPECT_EQ(node.run({ip(2000).bytes()})[0], verdict(Drop::TooLong)) << "a frame that was not routed here";
  node.prepare = [&](Packet& p) {
    p.tx_interface = tunnel;
    const std::size_t shift = p.headroom() - 35;
    std::memmove(p.data - shift, p.data, p.length);
    p.data -= shift;
  };
  EXPECT_EQ(node.run({frame()})[0], verdict(Drop::NoHeadroom));
  node.prepare = [&](Packet& p) { p.tx_interface = tunnel; };
  lead(tunnel, ForwardingKind::Incomplete, 1000);
  EXPECT_EQ(node.run({frame()})[0], verdict(Next::Ip4Lookup));
  remote.forwarding = ForwardingIndex::kNone;
  EXPECT_EQ(node.run({frame()})[0], verdict(Drop::NoWay));
}

TEST_F(VxlanNodes, ErrorsAreCutAtEveryByteWithoutHarm) {
  NodeTest<VxlanErrors> node{state};
  connect(node.interface_of(0));
  node.neighbours_matter = true;  // the messages to the control thread are bounded
  node.prepare = [](Packet& p) {
    p.table = TableIndex{0};
    p.l4_offset = static_cast<std::uint16_t>(p.l3_offset + (std::to_integer<unsigned>(*p.data) >> 4 == 6 ? 40 : 20));
  };
  const auto quoted = [](const char* to, std::uint8_t vni) {
    return packet().ip4("192.0.2.1", to).udp(50000, kPort).payload(vxlan(frame(), vni ? vni : kVni)).bytes();
  };
  const auto about = [](std::uint8_t type, std::uint8_t code, const Bytes& bytes) {
    return packet().ip4("192.0.2.9", "192.0.2.1").icmp(type, code, 1300).payload(bytes).bytes();
  };
  const Bytes inside = frame();
  const Bytes whole = about(3, 4, quoted("192.0.2.2", 0));
  EXPECT_EQ(node.run({whole})[0],
            verdict(VxlanErrors::Next::Ip4IcmpError).with(Bytes(inside.begin() + 14, inside.end())));
  EXPECT_EQ(node.events(VxlanErrors::Count::PathMtu), 1u);
  for (std::size_t n = 28; n < 28 + 28 + 8 + 14 + 20; ++n) {
    Bytes cut = whole;
    cut.resize(n);
    EXPECT_EQ(node.run({cut})[0], verdict(VxlanErrors::Drop::ShortQuote)) << n;
  }
  EXPECT_EQ(node.run({about(12, 0, quoted("192.0.2.2", 0))})[0], verdict(VxlanErrors::Drop::Ignored));
  EXPECT_EQ(node.run({about(3, 4, quoted("192.0.2.7", 0))})[0], verdict(VxlanErrors::Drop::UnknownTunnel));
  EXPECT_EQ(node.run({about(3, 4, quoted("192.0.2.2", 9))})[0], verdict(VxlanErrors::Drop::UnknownTunnel));
  const Bytes quoted6 = packet().ip6("2001:db8::1", "2001:db8::2").udp(50000, kPort).payload(vxlan(frame())).bytes();
  EXPECT_EQ(node.run({packet().ip6("2001:db8::9", "2001:db8::1").icmp(2, 0, 1300).payload(quoted6).bytes()})[0],
            verdict(VxlanErrors::Next::Ip4IcmpError));
}

TEST(VxlanDemux, FindsThousandsOfTunnelsByVniPortTableAndRemote) {
  DemuxTable<TunnelKey4> table;
  const auto key = [](std::uint32_t remote, std::uint32_t vni, std::uint16_t port, std::uint32_t in) {
    return TunnelKey4::of(Ip4Address(0x0a000000 + remote), Ip4Address(0xc0000201),
                          DecapTable::id(vni, port, TableIndex{in}));
  };
  const auto number = [](std::uint32_t i) { return InterfaceIndex(i % 4096, 1); };
  for (std::uint32_t i = 0; i < 20000; ++i) table.set(key(i % 50, i, kPort, 0), number(i), i);
  EXPECT_EQ(table.size(), 20000u);
  for (std::uint32_t i = 0; i < 20000; ++i) {
    const auto* found = table.find(key(i % 50, i, kPort, 0));
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->value, i);
    EXPECT_EQ(found->interface, number(i));
  }
  EXPECT_EQ(table.find(key(1, 2, kPort, 0)), nullptr) << "another's VNI";
  EXPECT_EQ(table.find(key(1, 1, 8472, 0)), nullptr) << "another port";
  EXPECT_EQ(table.find(key(1, 1, kPort, 1)), nullptr) << "another table";
  for (std::uint32_t i = 0; i < 20000; i += 400) table.erase(key(i % 50, i, kPort, 0));
  EXPECT_EQ(table.size(), 19950u);
  for (std::uint32_t i = 0; i < 20000; ++i) EXPECT_EQ(table.find(key(i % 50, i, kPort, 0)) == nullptr, i % 400 == 0);
}

}  // namespace
}  // namespace sluice::vxlan
