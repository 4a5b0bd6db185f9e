// SPDX-License-Identifier: Apache-2.0
#include "sluice/kernels/ethernet_input.h"

#include <gtest/gtest.h>

#include "interface/vlan_output.h"
#include "ip/test_packets.h"
#include "sluice/kernels/interface_output.h"

namespace sluice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using Next = EthernetInput::Next;
using Drop = EthernetInput::Drop;

struct EthernetInputTest : ::testing::Test {
  NodeTest<EthernetInput> node;
  InterfaceIndex vlan, qinq;

  EthernetInputTest() {
    node.world.interfaces.update([](InterfaceTable& t) {
      for (auto& s : t.slots) s.mac = mac("02::1");
    });
    vlan = subinterface(100, 0);
    qinq = subinterface(100, 7);
  }
  InterfaceIndex subinterface(std::uint16_t outer, std::uint16_t inner) {
    const auto parent = node.interface_of(0);
    const auto index = node.world.add_interface([&](InterfaceState& s) { s.parent = parent; });
    node.world.interfaces.update([&](InterfaceTable& t) {
      t.slots[parent.slot()].has_subinterfaces = true;
      t.vlans.push_back({InterfaceTable::vlan_key(parent.slot(), outer, inner), index});
    });
    node.world.worker().begin_pass();
    return index;
  }
  void down(InterfaceIndex index) {
    node.world.interfaces.update([&](InterfaceTable& t) { t.slots[index.slot()].up = false; });
  }
  static Bytes frame(std::uint16_t type, const Bytes& body = payload(20), const char* to = "02::1") {
    return ethernet(to, "02::9", type, body);
  }
  static Bytes tag(std::uint16_t tci, std::uint16_t type) { return wire(VlanTag{be16(tci), be16(type)}); }
};

TEST_F(EthernetInputTest, SortsByEthertypeAndTakesTheHeaderOff) {
  const auto out = node.run({frame(kEthertypeIp4), frame(kEthertypeIp6), frame(kEthertypeArp), frame(0x88cc)});
  EXPECT_EQ(out[0], verdict(Next::Ip4Input).with(payload(20)));
  EXPECT_EQ(out[1], verdict(Next::Ip6Input).with(payload(20)));
  EXPECT_EQ(out[2], verdict(Next::ArpInput).with(payload(20)));
  EXPECT_EQ(out[3], verdict(Drop::UnknownEthertype));
}

TEST_F(EthernetInputTest, TakesItsOwnAndGroupDestinationsOnly) {
  const auto out =
      node.run({frame(kEthertypeIp4), frame(kEthertypeIp4, payload(20), "ff:ff:ff:ff:ff:ff"),
                frame(kEthertypeIp6, payload(20), "33:33::1"), frame(kEthertypeIp4, payload(20), "02::2")});
  EXPECT_EQ(out[0].flags & kBroadcast, 0u);
  EXPECT_NE(out[1].flags & kBroadcast, 0u);
  EXPECT_NE(out[2].flags & kBroadcast, 0u);
  EXPECT_EQ(out[3], verdict(Drop::OtherDestination));
}

TEST_F(EthernetInputTest, DropsGroupSources) {
  EXPECT_EQ(node.run({ethernet("02::1", "33:33::1", kEthertypeIp4, payload(20))})[0], verdict(Drop::MulticastSource));
}

TEST_F(EthernetInputTest, DropsWhatIsShortAtEveryLength) {
  const Bytes whole = frame(kEthertypeQinQ, tag(100, kEthertypeVlan) + tag(7, kEthertypeIp4));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_EQ(node.run({cut(whole, n)})[0], verdict(Drop::Truncated)) << n;
  }
}

TEST_F(EthernetInputTest, GivesTaggedFramesToTheirSubinterface) {
  TestWorld& world = node.world;
  const struct {
    Bytes bytes;
    InterfaceIndex expected;
  } cases[] = {
      {frame(kEthertypeVlan, tag(100, kEthertypeIp4) + payload(20)), vlan},
      {frame(kEthertypeVlan, tag(0xe000 | 100, kEthertypeIp4) + payload(20)), vlan},
      {frame(kEthertypeQinQ, tag(100, kEthertypeVlan) + tag(7, kEthertypeIp4) + payload(20)), qinq},
      {frame(kEthertypeVlan, tag(100, kEthertypeVlan) + tag(7, kEthertypeIp4) + payload(20)), qinq},
      {frame(kEthertypeVlan, tag(0xe000, kEthertypeIp4) + payload(20)), node.interface_of(0)},
  };
  for (const auto& c : cases) {
    Packet* packet = world.make(c.bytes);
    packet->rx_interface = node.interface_of(0);
    EXPECT_EQ(node.kernel(*packet, world.worker(), nullptr), EthernetInput::Verdict(Next::Ip4Input));
    EXPECT_EQ(packet->rx_interface, c.expected);
    EXPECT_EQ(TestWorld::bytes_of(*packet), payload(20));
    world.worker().buffers().free(packet);
  }
  EXPECT_EQ(world.worker().counters(vlan)[InterfaceCounter::RxPackets].get(), 2u);
}

TEST_F(EthernetInputTest, DropsUnknownVlansAndThoseThatAreDown) {
  const Bytes unknown = frame(kEthertypeVlan, tag(101, kEthertypeIp4) + payload(20));
  const Bytes lone_service_tag = frame(kEthertypeQinQ, tag(100, kEthertypeIp4) + payload(20));
  const Bytes priority_in_service_tag =
      frame(kEthertypeQinQ, tag(100, kEthertypeVlan) + tag(0xe000, kEthertypeIp4) + payload(20));
  const Bytes known = frame(kEthertypeVlan, tag(100, kEthertypeIp4) + payload(20));
  EXPECT_EQ(node.run({unknown})[0], verdict(Drop::UnknownVlan));
  EXPECT_EQ(node.run({lone_service_tag})[0], verdict(Drop::UnknownVlan));
  EXPECT_EQ(node.run({priority_in_service_tag})[0], verdict(Drop::UnknownVlan));
  EXPECT_EQ(node.run({frame(kEthertypeIp4), known})[1], verdict(Drop::UnknownVlan)) << "another interface has none";
  down(vlan);
  EXPECT_EQ(node.run({known})[0], verdict(Drop::VlanDown));
}

TEST_F(EthernetInputTest, DropsWhatCameFromADeletedInterface) {
  node.prepare = [](Packet& packet) { packet.rx_interface = InterfaceIndex(packet.rx_interface.slot(), 9); };
  EXPECT_EQ(node.run({frame(kEthertypeIp4)})[0], verdict(Drop::NoInterface));
}

struct OutputTest : ::testing::Test {
  NodeTest<InterfaceOutput> node;
  InterfaceIndex out = node.interface_of(3);
  std::uint32_t flags = 0;
  GsoType gso = GsoType::None;
  OutputTest() {
    node.prepare = [this](Packet& packet) {
      packet.tx_interface = out;
      packet.flags |= flags;
      packet.gso_type = gso;
    };
  }
  void change(const std::function<void(InterfaceState&)>& f) {
    node.world.interfaces.update([&](InterfaceTable& t) { f(t.slots[out.slot()]); });
  }
  Outcome fate() { return node.run({payload(60)})[0]; }
};

TEST_F(OutputTest, SendsToTheDeviceOfAnInterfaceThatIsUp) {
  EXPECT_EQ(fate(), verdict(InterfaceOutput::Next::Device).with(payload(60)));
  change([](InterfaceState& s) { s.up = false; });
  EXPECT_EQ(fate(), verdict(InterfaceOutput::Drop::InterfaceDown));
  out = InterfaceIndex(out.slot(), 9);
  EXPECT_EQ(fate(), verdict(InterfaceOutput::Drop::NoInterface));
}

TEST_F(OutputTest, LeavesToSoftwareWhatTheDeviceCannotFinish) {
  flags = kChecksumPartial;
  EXPECT_EQ(fate(), verdict(InterfaceOutput::Next::SoftwareOffload));
  change([](InterfaceState& s) { s.offloads.tx_checksum = true; });
  EXPECT_EQ(fate(), verdict(InterfaceOutput::Next::Device));
  flags = kChecksumPartial | kGso;
  for (const GsoType type : {GsoType::Tcp4, GsoType::Tcp6, GsoType::UdpL4, GsoType::Udp}) {
    gso = type;
    change([](InterfaceState& s) { s.offloads = {.tx_checksum = true}; });
    EXPECT_EQ(fate(), verdict(InterfaceOutput::Next::SoftwareOffload));
    change([](InterfaceState& s) { s.offloads = {true, true, true, true}; });
    EXPECT_EQ(fate(), type == GsoType::Udp ? verdict(InterfaceOutput::Next::SoftwareOffload)
                                           : verdict(InterfaceOutput::Next::Device));
  }
}

TEST(VlanOutput, DropsWhatItCannotTag) {
  NodeTest<VlanOutput> node;
  const auto sub = node.world.add_interface([](InterfaceState& s) { s.outer_vlan = 5; });
  node.prepare = [&](Packet& packet) { packet.tx_interface = sub; };
  const Bytes frame = ethernet("02::1", "02::2", kEthertypeIp4, payload(20));
  EXPECT_EQ(node.run({frame})[0], verdict(VlanOutput::Next::InterfaceOutput));
  EXPECT_EQ(node.run({cut(frame, 13)})[0], verdict(VlanOutput::Drop::Truncated));
  node.prepare = [&](Packet& packet) { packet.tx_interface = node.interface_of(0); };
  EXPECT_EQ(node.run({frame})[0], verdict(VlanOutput::Drop::NoInterface));
  node.prepare = [&](Packet& packet) {
    packet.tx_interface = sub;
    const std::size_t shift = packet.headroom() - 3;
    std::memmove(packet.data - shift, packet.data, packet.length);
    packet.data -= shift;
  };
  EXPECT_EQ(node.run({frame})[0], verdict(VlanOutput::Drop::NoHeadroom));
}

}  // namespace
}  // namespace sluice
