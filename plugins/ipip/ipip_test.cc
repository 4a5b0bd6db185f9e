// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sluice/testing/node_test.h>
#include <sluice/testing/packet_builder.h>
#include <sluice/tunnel/peer.h>

#include <random>

#include "ipip_decap.h"
#include "ipip_errors.h"
#include "ipip_output.h"

namespace sluice::ipip {
namespace {

using testing::Bytes;
using testing::NodeTest;
using testing::packet;
using testing::verdict;

const Ip4Address kHere4 = *Ip4Address::parse("192.0.2.1"), kThere4 = *Ip4Address::parse("192.0.2.2");
const Ip6Address kHere6 = *Ip6Address::parse("2001:db8::1"), kThere6 = *Ip6Address::parse("2001:db8::2");

struct IpipNodes : ::testing::Test {
  Rcu rcu;
  IpTables tables{rcu};
  State state{rcu, &tables};
  ~IpipNodes() override { rcu.drain(); }

  /// The tunnels' interface is the first that a NodeTest makes.
  void connect(InterfaceIndex tunnel) {
    state.decap.update([&](DecapTable& t) {
      t.ip4.set(TunnelKey4::of(kThere4, kHere4, 0), tunnel);
      t.ip6.set(TunnelKey6::of(kThere6, kHere6, 0), tunnel);
    });
  }
};

Bytes inner4() { return packet().ip4("10.2.0.2", "10.1.0.2").udp(1, 2).payload("inside").bytes(); }
Bytes inner6() { return packet().ip6("2001:db8:2::2", "2001:db8:1::2").udp(1, 2).payload("inside").bytes(); }
Bytes in4(std::uint8_t protocol, const Bytes& inner, const char* from = "192.0.2.2") {
  return packet().ip4(from, "192.0.2.1").payload(inner).protocol(protocol).bytes();
}
Bytes in6(std::uint8_t protocol, const Bytes& inner, const char* from = "2001:db8::2") {
  return packet().ip6(from, "2001:db8::1").payload(inner).protocol(protocol).bytes();
}

/// As ip4-local and ip6-local hand packets on: behind the outer header.
void local(Packet& p) {
  p.table = TableIndex{0};
  p.pull(std::min<std::size_t>(p.length, std::to_integer<unsigned>(*p.data) >> 4 == 6 ? 40 : 20));
}

TEST_F(IpipNodes, DecapTakesTheOuterHeaderOffAndNamesEachDrop) {
  NodeTest<IpipDecap> node{state};
  using Next = IpipDecap::Next;
  using Drop = IpipDecap::Drop;
  node.prepare = local;
  EXPECT_EQ(node.run({in4(4, inner4())})[0], verdict(Drop::UnknownRemote)) << "no tunnels at all";
  connect(node.interface_of(0));
  EXPECT_EQ(node.run({in4(4, inner4())})[0], verdict(Next::Ip4Input).with(inner4()));
  EXPECT_EQ(node.run({in4(41, inner6())})[0], verdict(Next::Ip6Input).with(inner6()));
  EXPECT_EQ(node.run({in6(4, inner4())})[0], verdict(Next::Ip4Input).with(inner4()));
  EXPECT_EQ(node.run({in6(41, inner6())})[0], verdict(Next::Ip6Input).with(inner6()));
  EXPECT_EQ(node.run({in4(4, inner4(), "192.0.2.3")})[0], verdict(Drop::UnknownRemote));
  EXPECT_EQ(node.run({in6(4, inner4(), "2001:db8::3")})[0], verdict(Drop::UnknownRemote));
  EXPECT_EQ(node.run({in4(4, inner6())})[0], verdict(Drop::WrongInner));
  EXPECT_EQ(node.run({in6(41, inner4())})[0], verdict(Drop::WrongInner));
  EXPECT_EQ(node.run({in4(4, Bytes{0x50, 0, 0})})[0], verdict(Drop::WrongInner));
  for (std::size_t n = 0; n < 20; ++n) {
    Bytes cut = inner4();
    cut.resize(n);
    EXPECT_EQ(node.run({in4(4, cut)})[0], verdict(Drop::Truncated)) << n;
  }
  for (std::size_t n = 0; n < 40; ++n) {
    Bytes cut = inner6();
    cut.resize(n);
    EXPECT_EQ(node.run({in6(41, cut)})[0], verdict(Drop::Truncated)) << n;
  }
  node.prepare = [](Packet& p) {
    p.data[1] = std::byte{kEcnCongestion};
    local(p);
  };
  EXPECT_EQ(node.run({in4(4, inner4())})[0], verdict(Drop::Congestion));
  node.prepare = local;
  node.world.interfaces.update([](InterfaceTable& t) { t.slots[0].up = false; });
  EXPECT_EQ(node.run({in4(4, inner4())})[0], verdict(Drop::TunnelDown));
}

TEST_F(IpipNodes, DecapSurvivesAMillionRandomFrames) {
  NodeTest<IpipDecap> node{state};
  connect(node.interface_of(0));
  std::mt19937 random(1);
  Worker& worker = node.world.worker();
  node.kernel.begin(worker);
  const std::vector<Bytes> good{in4(4, inner4()), in4(41, inner6()), in6(4, inner4()), in6(41, inner6())};
  std::size_t through = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    Bytes bytes = good[random() % good.size()];
    for (std::size_t flips = random() % 4; flips > 0; --flips)
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    bytes.resize(std::max<std::size_t>(bytes[0] >> 4 == 6 ? 40 : 20, random() % (bytes.size() + 1)), 0);
    Packet* p = node.world.make(bytes);
    p->rx_interface = node.interface_of(1);
    p->l3_offset = p->offset();
    local(*p);
    auto key = node.kernel.prepare(*p, worker);
    through += node.kernel.finish(*p, key, worker, nullptr).code() < 2;
    worker.buffers().free(p);
  }
  EXPECT_GT(through, 100'000u);
}

struct IpipOutputs : IpipNodes {
  TunnelRemote remote;
  void lead(InterfaceIndex tunnel, ForwardingKind kind, std::uint32_t mtu) {
    Forwarding object;
    object.kind = kind;
    remote.forwarding = tables.forwarding.add(std::move(object))->value;
    remote.mtu = mtu;
    TunnelPeer::fill_headers(remote, {kHere4, kThere4}, {.protocol = kIpProtocolIpIp, .behind = {}});
    state.encap.update([&](EncapTable& t) {
      t.by_slot.resize(tunnel.slot() + 1);
      t.by_slot[tunnel.slot()] = &remote;
    });
  }
};

TEST_F(IpipOutputs, SendsWhereTheUnderlayIsReadyAndNamesEachDrop) {
  NodeTest<IpipOutput> node{state};
  using Next = IpipOutput::Next;
  using Drop = IpipOutput::Drop;
  const InterfaceIndex tunnel = node.interface_of(0);
  node.neighbours_matter = true;  // identifications count up
  node.prepare = [&](Packet& p) { p.tx_interface = tunnel; };
  EXPECT_EQ(node.run({inner4()})[0], verdict(Drop::NoRemote));
  lead(tunnel, ForwardingKind::Adjacency, 1000);
  EXPECT_EQ(node.run({inner4()})[0], verdict(Next::Ip4Rewrite));
  EXPECT_EQ(node.run({Bytes{}})[0], verdict(Drop::NotIp));
  EXPECT_EQ(node.run({Bytes(39, 0x60)})[0], verdict(Drop::NotIp));
  EXPECT_EQ(node.run({packet().ip4("10.2.0.2", "10.1.0.2").udp(1, 2).payload_size(2000).bytes()})[0],
            verdict(Next::Ip4Fragment));
  EXPECT_EQ(node.run({packet().ip4("10.2.0.2", "10.1.0.2").dont_fragment().udp(1, 2).payload_size(2000).bytes()})[0],
            verdict(Next::Ip4IcmpError));
  EXPECT_EQ(node.run({packet().ip6("2001:db8::5", "2001:db8::6").udp(1, 2).payload_size(1300).bytes()})[0],
            verdict(Next::Ip6IcmpError));
  EXPECT_EQ(node.run({packet().ip6("2001:db8::5", "2001:db8::6").udp(1, 2).payload_size(1200).bytes()})[0],
            verdict(Next::Ip4Rewrite))
      << "what IPv6 counts on is carried, in fragments";
  node.prepare = [&](Packet& p) {
    p.tx_interface = tunnel;
    const std::size_t shift = p.headroom() - 19;
    std::memmove(p.data - shift, p.data, p.length);
    p.data -= shift;
  };
  EXPECT_EQ(node.run({inner4()})[0], verdict(Drop::NoHeadroom));
  node.prepare = [&](Packet& p) { p.tx_interface = tunnel; };
  lead(tunnel, ForwardingKind::Incomplete, 1000);
  EXPECT_EQ(node.run({inner4()})[0], verdict(Next::Ip4Lookup));
  remote.forwarding = ForwardingIndex::kNone;
  EXPECT_EQ(node.run({inner4()})[0], verdict(Drop::NoWay));
}

TEST_F(IpipNodes, ErrorsAreCutAtEveryByteWithoutHarm) {
  NodeTest<IpipErrors> node{state};
  connect(node.interface_of(0));
  node.neighbours_matter = true;  // the messages to the control thread are bounded
  node.prepare = [](Packet& p) {
    p.table = TableIndex{0};
    p.l4_offset = static_cast<std::uint16_t>(p.l3_offset + (std::to_integer<unsigned>(*p.data) >> 4 == 6 ? 40 : 20));
  };
  const Bytes quoted4 = packet().ip4("192.0.2.1", "192.0.2.2").payload(inner4()).protocol(4).bytes();
  const Bytes quoted6 = packet().ip6("2001:db8::1", "2001:db8::2").payload(inner6()).protocol(41).bytes();
  const Bytes error4 = packet().ip4("192.0.2.9", "192.0.2.1").icmp(3, 4, 1300).payload(quoted4).bytes();
  const Bytes error6 = packet().ip6("2001:db8::9", "2001:db8::1").icmp(2, 0, 1300).payload(quoted6).bytes();
  EXPECT_EQ(node.run({error4})[0], verdict(IpipErrors::Next::Ip4IcmpError).with(inner4()));
  EXPECT_EQ(node.run({error6})[0], verdict(IpipErrors::Next::Ip6IcmpError).with(inner6()));
  EXPECT_EQ(node.events(IpipErrors::Count::PathMtu), 2u);
  for (const auto& [whole, most] : {std::pair(error4, 28 + 20 + 20), std::pair(error6, 48 + 40 + 40)}) {
    for (int n = whole[0] >> 4 == 6 ? 40 : 20; n < most; ++n) {
      Bytes cut = whole;
      cut.resize(static_cast<std::size_t>(n));
      EXPECT_EQ(node.run({cut})[0], verdict(IpipErrors::Drop::ShortQuote)) << n;
    }
  }
  const Bytes other = packet().ip4("192.0.2.9", "192.0.2.1").icmp(12, 0, 0).payload(quoted4).bytes();
  EXPECT_EQ(node.run({other})[0], verdict(IpipErrors::Drop::Ignored));
  const Bytes stranger = packet().ip4("192.0.2.1", "192.0.2.7").payload(inner4()).protocol(4).bytes();
  EXPECT_EQ(node.run({packet().ip4("192.0.2.9", "192.0.2.1").icmp(3, 4, 1300).payload(stranger).bytes()})[0],
            verdict(IpipErrors::Drop::UnknownRemote));
}

TEST(Ipip, CarriesCongestionThroughAsRfc6040Says) {
  // Rows: inner Not-ECT, ECT(0), ECT(1), CE; columns: outer in the same order. Figure 4.
  constexpr std::uint8_t kOrder[] = {kEcnNone, kEcnCapable0, kEcnCapable1, kEcnCongestion};
  constexpr std::uint16_t kWanted[4][4] = {
      {kEcnNone, kEcnNone, kEcnNone, kEcnDrop},
      {kEcnCapable0, kEcnCapable0, kEcnCapable1, kEcnCongestion},
      {kEcnCapable1, kEcnCapable1, kEcnCapable1, kEcnCongestion},
      {kEcnCongestion, kEcnCongestion, kEcnCongestion, kEcnCongestion},
  };
  for (std::size_t in = 0; in < 4; ++in) {
    for (std::size_t out = 0; out < 4; ++out) {
      EXPECT_EQ(ecn_after_decap(kOrder[in], kOrder[out]), kWanted[in][out]) << in << " " << out;
      if (kWanted[in][out] == kEcnDrop) continue;
      EXPECT_EQ(ecn_after_decap(static_cast<std::uint8_t>(0xfc | kOrder[in]), kOrder[out]), 0xfc | kWanted[in][out]);
    }
  }
}

}  // namespace
}  // namespace sluice::ipip
