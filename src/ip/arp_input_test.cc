// SPDX-License-Identifier: Apache-2.0
#include "ip/arp_input.h"

#include <gtest/gtest.h>

#include "ip/ip_path_fixture.h"

namespace sluice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using Drop = ArpInput::Drop;

ArpHeader request(const char* sender = "10.0.0.9", const char* target = "10.0.0.1") {
  return {be16(ArpHeader::kEthernet),
          be16(kEthertypeIp4),
          6,
          4,
          be16(ArpHeader::kRequest),
          mac("02::9"),
          ip4(sender),
          MacAddress{},
          ip4(target)};
}

struct ArpInputTest : ::testing::Test {
  Rcu rcu;
  IpState state{rcu};
  NodeTest<ArpInput> node{state};

  ArpInputTest() {
    node.neighbours_matter = true;  // what it may report is limited by the second
    own("10.0.0.1", false);
  }
  void own(const char* address, bool tentative) {
    node.world.interfaces.update([](InterfaceTable& t) {
      for (auto& s : t.slots) s.mac = mac("02::1");
    });
    state.addresses.update([&](AddressTable& t) {
      t.by_slot.resize(8);
      for (auto& slot : t.by_slot) slot.ip4 = {{ip4(address), 24, tentative}};
    });
  }
  Outcome fate(const ArpHeader& arp) { return node.run({wire(arp)})[0]; }
  std::vector<ControlMessage> messages() {
    std::vector<ControlMessage> all;
    ControlMessage message;
    while (node.world.worker().messages().pop(message)) all.push_back(message);
    return all;
  }
};

TEST_F(ArpInputTest, AnswersARequestForItsAddressAndTellsOfTheAsker) {
  ArpHeader reply = request();
  reply.operation = be16(ArpHeader::kReply);
  reply.sender_mac = mac("02::1");
  reply.sender = ip4("10.0.0.1");
  reply.target_mac = mac("02::9");
  reply.target = ip4("10.0.0.9");
  EXPECT_EQ(node.run({wire(request()) + Bytes(18)})[0],
            verdict(ArpInput::Next::InterfaceOutput)
                .with(ethernet("02::9", "02::1", kEthertypeArp, wire(reply)))
                .on(node.interface_of(0)));
  const auto heard = messages();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_TRUE(heard[0].as<NeighborSeen>().asked_us);
}

TEST_F(ArpInputTest, AnswersAProbeForItsAddressWithoutLearning) {
  EXPECT_EQ(fate(request("0.0.0.0")), verdict(ArpInput::Next::InterfaceOutput));
  EXPECT_TRUE(messages().empty());
}

TEST_F(ArpInputTest, HearsRepliesAndAnnouncements) {
  ArpHeader reply = request();
  reply.operation = be16(ArpHeader::kReply);
  EXPECT_EQ(fate(reply), held());
  EXPECT_EQ(fate(request("10.0.0.9", "10.0.0.9")), held());
  reply.target_mac = mac("02::1");
  reply.target = ip4("192.0.2.1");  // another interface's, in whose name this one asked
  EXPECT_EQ(fate(reply), held());
  const auto heard = messages();
  ASSERT_EQ(heard.size(), 3u);
  EXPECT_FALSE(heard[0].as<NeighborSeen>().solicited) << "to nobody's MAC address";
  EXPECT_FALSE(heard[1].as<NeighborSeen>().solicited);
  EXPECT_TRUE(heard[2].as<NeighborSeen>().solicited);
  EXPECT_EQ(node.events(ArpInput::Count::Heard), 3u);
}

TEST_F(ArpInputTest, ReportsAConflictOverItsAddress) {
  EXPECT_EQ(fate(request("10.0.0.1", "10.0.0.1")), verdict(Drop::AddressConflict));
  own("10.0.0.1", true);
  EXPECT_EQ(fate(request("0.0.0.0", "10.0.0.1")), verdict(Drop::AddressConflict));
  EXPECT_EQ(messages().size(), 2u);
}

TEST_F(ArpInputTest, DropsWhatIsForOthers) {
  EXPECT_EQ(fate(request("10.0.0.9", "10.0.0.5")), verdict(Drop::OtherTarget));
}

TEST_F(ArpInputTest, DropsWhatIsShortAtEveryLength) {
  for (std::size_t n = 0; n < sizeof(ArpHeader); ++n) {
    EXPECT_EQ(node.run({cut(wire(request()), n)})[0], verdict(Drop::Truncated));
  }
}

TEST_F(ArpInputTest, DropsOtherHardwareProtocolsAndLengths) {
  for (int field = 0; field < 4; ++field) {
    ArpHeader arp = request();
    if (field == 0) arp.hardware = be16(std::uint16_t{6});
    if (field == 1) arp.protocol = be16(kEthertypeIp6);
    if (field == 2) arp.hardware_length = 8;
    if (field == 3) arp.protocol_length = 16;
    EXPECT_EQ(fate(arp), verdict(Drop::NotIp4OverEthernet));
  }
}

TEST_F(ArpInputTest, DropsOtherOperationsAndImpossibleSenders) {
  ArpHeader arp = request();
  arp.operation = be16(std::uint16_t{3});
  EXPECT_EQ(fate(arp), verdict(Drop::BadOperation));
  for (const char* sender : {"224.0.0.1", "255.255.255.255", "127.0.0.1"}) {
    EXPECT_EQ(fate(request(sender)), verdict(Drop::BadSender)) << sender;
  }
  for (const char* sender : {"33:33::1", "ff:ff:ff:ff:ff:ff", "00::0"}) {
    arp = request();
    arp.sender_mac = mac(sender);
    EXPECT_EQ(fate(arp), verdict(Drop::BadSender)) << sender;
  }
}

TEST_F(ArpInputTest, DropsItsOwnFrames) {
  ArpHeader arp = request();
  arp.sender_mac = mac("02::1");
  EXPECT_EQ(fate(arp), verdict(Drop::OwnFrame));
}

TEST_F(ArpInputTest, DropsWhatCameFromADeletedInterface) {
  node.prepare = [](Packet& packet) { packet.rx_interface = InterfaceIndex(packet.rx_interface.slot(), 9); };
  EXPECT_EQ(fate(request()), verdict(Drop::NoInterface));
}

}  // namespace
}  // namespace sluice
