// SPDX-License-Identifier: Apache-2.0
#include "ip/address_keeper.h"

#include <gtest/gtest.h>

#include "ip/test_packets.h"
#include "sluice/testing/memory_interfaces.h"

namespace sluice {
namespace {

using testing::as;
using testing::ip4;
using testing::ip6;
using testing::mac;
using Ms = std::chrono::milliseconds;

struct AddressKeeperTest : ::testing::Test {
  Rcu rcu;
  IpState state{rcu};
  testing::MemoryInterfaces interfaces;
  std::vector<FrameBytes> sent;
  AddressKeeper keeper{state, interfaces, [this](InterfaceIndex, const FrameBytes& f) { sent.push_back(f); }};
  InterfaceIndex eth = interfaces.add("eth0"), pod = interfaces.add("pod/web", LinkLayer::Ip);
  const Ip6Address address = ip6("2001:db8::1");

  const OwnAddress<Ip6Address>* own() { return state.addresses.get().find(eth, address); }
  void add() { (void)interfaces.add_address(eth, {address, 64}); }
};

TEST_F(AddressKeeperTest, ProbesANewIp6AddressAndUsesItAfterASecondOfSilence) {
  add();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(as<Ip6Header>(sent[0], 14).source.is_unspecified());
  EXPECT_EQ(as<NeighborMessage>(sent[0], 54).target, address);
  EXPECT_TRUE(own()->tentative);
  keeper.tick(Ms{900});
  EXPECT_TRUE(own()->tentative);
  EXPECT_TRUE(state.addresses.get().fallback6.is_unspecified());
  sent.clear();
  keeper.tick(Ms{1000});
  EXPECT_FALSE(own()->tentative);
  EXPECT_EQ(state.addresses.get().fallback6, address);
  EXPECT_EQ(as<NeighborMessage>(sent.back(), 54).type, kIcmp6NeighborAdvertisement);
}

TEST_F(AddressKeeperTest, NeverUsesAnIp6AddressThatAnotherStationHas) {
  add();
  keeper.conflict({eth, address, mac("02::99")});
  keeper.tick(Ms{5000});
  EXPECT_TRUE(own()->tentative);
  ASSERT_EQ(keeper.duplicates().size(), 1u);
  EXPECT_EQ(keeper.duplicates()[0].by, mac("02::99"));
  (void)interfaces.remove_address(eth, {address, 64});
  EXPECT_TRUE(keeper.duplicates().empty());
}

TEST_F(AddressKeeperTest, KeepsAnAddressWhosePrefixLengthChanges) {
  add();
  keeper.tick(Ms{1000});
  sent.clear();
  (void)interfaces.add_address(eth, {address, 56});
  EXPECT_FALSE(own()->tentative);
  (void)interfaces.remove_address(eth, {address, 64});
  ASSERT_TRUE(own());
  EXPECT_EQ(own()->length, 56);
  EXPECT_TRUE(sent.empty()) << "nothing has changed for the link";
  keeper.conflict({eth, address, mac("02::99")});
  EXPECT_EQ(keeper.duplicates().size(), 1u) << "it is still defended";
}

TEST_F(AddressKeeperTest, AnnouncesAnIp4AddressAndDefendsItOnceInTenSeconds) {
  (void)interfaces.add_address(eth, {ip4("10.0.0.1"), 24});
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(as<ArpHeader>(sent[0], 14).sender, as<ArpHeader>(sent[0], 14).target);
  EXPECT_FALSE(state.addresses.get().find(eth, ip4("10.0.0.1"))->tentative);
  keeper.tick(Ms{100});
  sent.clear();
  for (int i = 0; i < 5; ++i) keeper.conflict({eth, ip4("10.0.0.1"), mac("02::99")});
  EXPECT_EQ(sent.size(), 1u);
  keeper.tick(Ms{10200});
  sent.clear();
  keeper.conflict({eth, ip4("10.0.0.1"), mac("02::99")});
  EXPECT_EQ(sent.size(), 1u);
}

TEST_F(AddressKeeperTest, GivesEthernetInterfacesALinkLocalAddress) {
  keeper.tick(Ms{100});
  const auto& addresses = interfaces.find(eth)->addresses;
  ASSERT_EQ(addresses.size(), 1u);
  EXPECT_EQ(addresses[0].address, IpAddress(link_local_of(interfaces.find(eth)->mac)));
  EXPECT_TRUE(interfaces.find(pod)->addresses.empty());
  EXPECT_EQ(link_local_of(mac("02:00:5e:10:20:30")), ip6("fe80::5eff:fe10:2030"));
}

TEST_F(AddressKeeperTest, ProbesAgainWhenTheLinkComesUp) {
  (void)interfaces.set_state(eth, false);
  add();
  EXPECT_TRUE(sent.empty());
  keeper.tick(Ms{3000});
  EXPECT_TRUE(own()->tentative);
  (void)interfaces.set_state(eth, true);
  EXPECT_EQ(sent.size(), 1u);
  keeper.tick(Ms{4100});
  EXPECT_FALSE(own()->tentative);
}

TEST_F(AddressKeeperTest, APodsAddressNeedsNoProbe) {
  (void)interfaces.add_address(pod, {ip6("2001:db8::5"), 128});
  EXPECT_TRUE(sent.empty());
  EXPECT_FALSE(state.addresses.get().find(pod, ip6("2001:db8::5"))->tentative);
}

}  // namespace
}  // namespace sluice
