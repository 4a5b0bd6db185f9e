// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "ip/ip4_arp.h"
#include "ip/ip6_nd.h"
#include "ip/ip6_nd_input.h"
#include "ip/test_packets.h"

namespace sluice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using Drop = Ip6NdInput::Drop;

struct NdInputTest : ::testing::Test {
  Rcu rcu;
  IpState state{rcu};
  NodeTest<Ip6NdInput> node{state};

  NdInputTest() {
    node.neighbours_matter = true;
    own(false);
    // The frame's header stands in front, as ethernet-input leaves it.
    node.prepare = [](Packet& packet) {
      *reinterpret_cast<EthernetHeader*>(packet.data - 14) = {mac("02::1"), mac("02::9"), be16(kEthertypeIp6)};
      packet.l2_offset = static_cast<std::uint16_t>(packet.offset() - 14);
    };
  }
  void own(bool tentative) {
    state.addresses.update([&](AddressTable& t) {
      t.by_slot.resize(1);
      t.by_slot[0].ip6 = {{ip6("2001:db8::1"), 64, tentative}};
    });
  }
  static Bytes solicitation(const char* target = "2001:db8::1", std::uint8_t code = 0) {
    return wire(NeighborMessage{kIcmp6NeighborSolicitation, code, be16{}, be32{}, ip6(target)});
  }
  static Bytes advertisement(std::uint32_t flags, const char* target = "2001:db8::9") {
    return wire(NeighborMessage{kIcmp6NeighborAdvertisement, 0, be16{}, be32(flags), ip6(target)});
  }
  static Bytes option(std::uint8_t type, const char* address = "02::9") {
    return wire(LinkAddressOption{type, 1, mac(address)});
  }
  Outcome fate(const Bytes& message, const char* source = "2001:db8::9", const char* destination = "2001:db8::1",
               std::uint8_t hop_limit = 255) {
    return node.run({icmp6_packet(source, destination, message, hop_limit)})[0];
  }
};

TEST_F(NdInputTest, ChecksWhatRfc4861Asks) {
  EXPECT_EQ(fate(solicitation(), "2001:db8::9", "2001:db8::1", 254), verdict(Drop::ForeignHopLimit));
  EXPECT_EQ(fate(solicitation("2001:db8::1", 1)), verdict(Drop::BadCode));
  EXPECT_EQ(fate(cut(solicitation(), 23)), verdict(Drop::Truncated));
  EXPECT_EQ(fate(solicitation("ff02::1")), verdict(Drop::MulticastTarget));
  EXPECT_EQ(fate(solicitation() + Bytes{1, 0, 0, 0, 0, 0, 0, 0}), verdict(Drop::BadOption));
  EXPECT_EQ(fate(solicitation() + Bytes{1, 2, 0, 0, 0, 0, 0, 0}), verdict(Drop::BadOption));
  EXPECT_EQ(fate(solicitation() + Bytes{1}), verdict(Drop::BadOption));
  EXPECT_EQ(fate(solicitation() + option(1, "33:33::1")), verdict(Drop::BadOption));
  EXPECT_EQ(fate(solicitation() + option(1), "::", "ff02::1:ff00:1"), verdict(Drop::BadProbe));
  EXPECT_EQ(fate(solicitation(), "::", "2001:db8::1"), verdict(Drop::BadProbe));
  EXPECT_EQ(fate(advertisement(1u << 30), "2001:db8::9", "ff02::1"), verdict(Drop::BadAdvertisement));
  EXPECT_EQ(fate(solicitation("2001:db8::7") + option(1)), verdict(Drop::OtherTarget));
}

TEST_F(NdInputTest, HearsAdvertisementsWithTheirFlags) {
  EXPECT_EQ(fate(advertisement(0x60000000) + option(2)), held());
  EXPECT_EQ(fate(advertisement(0)), held());
  ControlMessage message;
  ASSERT_TRUE(node.world.worker().messages().pop(message));
  auto seen = message.as<NeighborSeen>();
  EXPECT_TRUE(seen.solicited && seen.overrides && seen.has_mac);
  EXPECT_EQ(seen.mac, mac("02::9"));
  ASSERT_TRUE(node.world.worker().messages().pop(message));
  seen = message.as<NeighborSeen>();
  EXPECT_FALSE(seen.solicited || seen.overrides || seen.has_mac);
}

TEST_F(NdInputTest, ReportsWhoUsesOrWantsItsAddress) {
  EXPECT_EQ(fate(advertisement(0, "2001:db8::1") + option(2)), verdict(Drop::AddressConflict));
  own(true);
  EXPECT_EQ(fate(solicitation(), "::", "ff02::1:ff00:1"), verdict(Drop::AddressConflict));
  EXPECT_EQ(fate(solicitation() + option(1)), verdict(Drop::AddressConflict)) << "a tentative address is not answered";
  ControlMessage message;
  int conflicts = 0;
  while (node.world.worker().messages().pop(message)) ++conflicts;
  EXPECT_EQ(conflicts, 2);
}

TEST_F(NdInputTest, DoesNotTakeItsOwnAdvertisementForAnotherStations) {
  node.world.interfaces.update([](InterfaceTable& t) {
    for (auto& s : t.slots) s.mac = mac("02::1");
  });
  EXPECT_EQ(fate(advertisement(1u << 29, "2001:db8::1") + option(2, "02::1"), "2001:db8::1", "ff02::1"),
            verdict(Drop::OwnFrame));
  ControlMessage message;
  EXPECT_FALSE(node.world.worker().messages().pop(message));
}

TEST_F(NdInputTest, TakesNoFragments) {
  const auto as_it_came = node.prepare;
  node.prepare = [&](Packet& packet) {
    as_it_came(packet);
    packet.flags |= kReassembled;
  };
  EXPECT_EQ(fate(solicitation() + option(1)), verdict(Drop::Fragmented));
  EXPECT_EQ(fate(advertisement(0x60000000) + option(2)), verdict(Drop::Fragmented));
}

TEST_F(NdInputTest, HasNoBusinessOnATun) {
  node.world.interfaces.update([](InterfaceTable& t) { t.slots[0].link = LinkLayer::Ip; });
  EXPECT_EQ(fate(solicitation()), verdict(Drop::NoLinkLayer));
}

template <class K>
struct Waiting : ::testing::Test {
  Rcu rcu;
  IpState state{rcu};
  NodeTest<K> node{state};
  ForwardingIndex forwarding;
  InterfaceIndex out = node.interface_of(1);
  Waiting() {
    node.neighbours_matter = true;
    Forwarding object;
    object.kind = ForwardingKind::Connected;
    object.interface = out;
    forwarding = *state.tables.forwarding.add(std::move(object));
    node.prepare = [this](Packet& packet) {
      packet.forwarding = forwarding;
      packet.tx_interface = out;
    };
  }
  Outcome give(std::uint8_t last) {
    if constexpr (std::is_same_v<K, Ip4Arp>) {
      return node.run({ip4_packet("10.0.0.1", "10.0.1." + std::to_string(last), 17, payload(8))})[0];
    } else {
      return node.run({ip6_packet("fd00::1", fmt::format("fd01::{:x}", last), 17, payload(8))})[0];
    }
  }
  void is_bounded() {
    for (int i = 0; i < 16; ++i) EXPECT_EQ(give(1), held());
    EXPECT_EQ(give(1), verdict(K::Drop::QueueFull));
    for (unsigned i = 2; i <= 255; ++i) EXPECT_EQ(give(static_cast<std::uint8_t>(i)), held());
    EXPECT_EQ(give(0), held());
    EXPECT_EQ(node.kernel.held(), 16u + 255u);
    EXPECT_EQ(node.events(K::Count::Asked), 256u);
    Bytes other = std::is_same_v<K, Ip4Arp> ? ip4_packet("10.0.0.1", "10.0.2.1", 17, payload(8))
                                            : ip6_packet("fd00::1", "fd02::1", 17, payload(8));
    EXPECT_EQ(node.run({other})[0], held());
    EXPECT_EQ(node.events(K::Count::Asked), 257u) << "a scan keeps nobody from being asked";
    EXPECT_EQ(node.events(K::Count::PushedOut), 16u) << "the neighbour that was asked for first";
    EXPECT_EQ(node.kernel.held(), 256u);
    for (unsigned i = 205; i <= 255; ++i) {
      for (int n = 0; n < 15; ++n) EXPECT_EQ(give(static_cast<std::uint8_t>(i)), held());
    }
    for (int n = 0; n < 3; ++n) EXPECT_EQ(give(100), held());
    EXPECT_EQ(node.kernel.held(), 1024u);
    EXPECT_EQ(give(255), verdict(K::Drop::QueueFull));
    EXPECT_EQ(give(101), held());
    EXPECT_EQ(node.kernel.held(), 1024u);
    EXPECT_EQ(node.events(K::Count::PushedOut), 17u);
  }
  void needs_a_link_layer() {
    node.world.interfaces.update([&](InterfaceTable& t) { t.slots[out.slot()].link = LinkLayer::Ip; });
    EXPECT_EQ(give(1), verdict(K::Drop::NoLinkLayer));
    out = InterfaceIndex(out.slot(), 9);
    EXPECT_EQ(give(1), verdict(K::Drop::NoLinkLayer));
  }
};
using Waiting4 = Waiting<Ip4Arp>;
using Waiting6 = Waiting<Ip6Nd>;

TEST_F(Waiting4, IsBoundedForEachNeighbourAndInNeighbours) { is_bounded(); }
TEST_F(Waiting6, IsBoundedForEachNeighbourAndInNeighbours) { is_bounded(); }
TEST_F(Waiting4, NeedsALinkLayer) { needs_a_link_layer(); }
TEST_F(Waiting6, NeedsALinkLayer) { needs_a_link_layer(); }

TEST_F(Waiting4, GivesUpAfterFiveSecondsWithHostUnreachable) {
  EXPECT_EQ(give(1), held());
  Fib<Ip4Address> fib(state.tables.nodes4);
  EXPECT_TRUE(fib.set(*Prefix<Ip4Address>::parse("10.0.0.0/8"), forwarding).ok());
  state.tables.ip4.set(TableIndex{0}, &fib);
  Worker& worker = node.world.worker();
  NodeRuntime runtime;
  runtime.event_counts = std::vector<Counter>(4);
  worker.set_current(&runtime);
  for (const std::uint64_t seconds : {4, 6}) {
    worker.set_now(tsc() + ns_to_tsc(seconds * 1'000'000'000));
    Out<Ip4Arp> emitted(runtime, worker);
    node.kernel.release(worker, emitted);
    std::size_t n = 0;
    emitted.take([&](Packet& packet, std::uint16_t code) {
      ++n;
      EXPECT_EQ(code, static_cast<std::uint16_t>(Ip4Arp::Next::Ip4IcmpError));
      EXPECT_EQ(packet.icmp_error.code, 1);
      worker.buffers().free(&packet);
    });
    EXPECT_EQ(n, seconds == 6 ? 1u : 0u);
  }
  state.tables.ip4.set(TableIndex{0}, nullptr);
}

}  // namespace
}  // namespace sluice
