// SPDX-License-Identifier: Apache-2.0
// What an interface takes from its device and from the interface below it: MTUs and losses.
#include <gtest/gtest.h>

#include "interface/interface_manager.h"
#include "interface/nowhere_node.h"
#include "sluice/registry.h"

namespace sluice {
namespace {

class WireDevice final : public Device {
 public:
  explicit WireDevice(std::uint32_t double_tag_bytes) {
    info_.mtu_max = 9000;
    info_.rx_queues = info_.tx_queues = 0;
    info_.double_tag_bytes = double_tag_bytes;
  }
  std::string_view driver() const override { return "wire"; }
  const DeviceInfo& info() const override { return info_; }
  StatusOr<std::vector<std::unique_ptr<RxQueue>>> open_rx() override { return std::vector<std::unique_ptr<RxQueue>>(); }
  StatusOr<std::vector<std::unique_ptr<TxQueue>>> open_tx() override { return std::vector<std::unique_ptr<TxQueue>>(); }
  std::uint64_t rx_missed() const override { return missed; }
  std::uint64_t missed = 0;

 private:
  DeviceInfo info_;
};

struct InterfaceMtuTest : ::testing::Test {
  void SetUp() override {
    auto made = Dataplane::create({.workers = 1, .pool = {.buffers = 1024, .hugepages = false}}, {});
    ASSERT_TRUE(made.ok());
    dataplane = std::move(*made);
    registry.driver("wire");
    registry.node<test::Nowhere<'4'>>();
    registry.node<test::Nowhere<'6'>>();
    registry.node<test::Nowhere<'e'>>();
    ASSERT_TRUE(dataplane->build(registry).ok());
    interfaces = std::make_unique<InterfaceManager>(*dataplane);
    interfaces->listen([this](Interfaces::Event event, const InterfaceEntry& e, const InterfaceAddress*) {
      if (event == Interfaces::Event::MtuChanged) changed.push_back(e.name);
    });
  }
  InterfaceIndex make(std::uint32_t double_tag_bytes) {
    auto device = std::make_unique<WireDevice>(double_tag_bytes);
    wire = device.get();
    return *interfaces->create("a", std::move(device));
  }
  std::uint32_t mtu(InterfaceIndex index) { return interfaces->find(index)->mtu; }

  Registry registry;
  WireDevice* wire = nullptr;
  std::vector<std::string> changed;
  std::unique_ptr<Dataplane> dataplane;
  std::unique_ptr<InterfaceManager> interfaces;
};

TEST_F(InterfaceMtuTest, ASubinterfaceFollowsItsParentAndKeepsWhatItWasSetTo) {
  const InterfaceIndex parent = make(0);
  const InterfaceIndex one = *interfaces->create_vlan("a.1", parent, 1, 0);
  const InterfaceIndex two = *interfaces->create_vlan("a.2", parent, 2, 0);
  EXPECT_EQ(mtu(one), 1500u);
  EXPECT_TRUE(*interfaces->set_mtu(two, 1400));
  EXPECT_FALSE(*interfaces->set_mtu(two, 1400));
  changed.clear();
  EXPECT_TRUE(*interfaces->set_mtu(parent, 1450));
  EXPECT_EQ(changed, (std::vector<std::string>{"a", "a.1"}));
  EXPECT_EQ(dataplane->interfaces().get().find(one)->mtu, 1450u);
  EXPECT_TRUE(*interfaces->set_mtu(parent, 1300));
  EXPECT_EQ(mtu(one), 1300u);
  EXPECT_EQ(mtu(two), 1300u);
  EXPECT_FALSE(interfaces->set_mtu(two, 1400).ok());
  EXPECT_TRUE(*interfaces->set_mtu(parent, 9000));
  EXPECT_EQ(mtu(one), 9000u);
  EXPECT_EQ(mtu(two), 1400u);
  EXPECT_FALSE(*interfaces->set_mtu(parent, 9000));
}

TEST_F(InterfaceMtuTest, ASubinterfaceIsNotRaisedAboveItsParent) {
  const InterfaceIndex sub = *interfaces->create_vlan("a.1", make(0), 1, 0);
  EXPECT_EQ(text(interfaces->set_mtu(sub, 1501).status()),
            "mtu 1501: a.1 takes 68 to 1500 bytes; raise that of a first");
  EXPECT_EQ(text(interfaces->set_mtu(sub, 60).status()), "mtu 60: a.1 takes 68 to 1500 bytes");
  EXPECT_EQ(mtu(sub), 1500u);
}

TEST_F(InterfaceMtuTest, TwoTagsTakeTheirRoomFromTheMtuWhereTheDeviceSaysSo) {
  const InterfaceIndex parent = make(8);
  const InterfaceIndex one = *interfaces->create_vlan("a.1", parent, 1, 0);
  const InterfaceIndex two = *interfaces->create_vlan("a.1.2", parent, 1, 2);
  EXPECT_EQ(mtu(one), 1500u);
  EXPECT_EQ(mtu(two), 1492u);
  EXPECT_EQ(text(interfaces->set_mtu(two, 1500).status()),
            "mtu 1500: a.1.2 takes 68 to 1492 bytes; raise that of a first");
  ASSERT_TRUE(interfaces->set_mtu(parent, 1400).ok());
  EXPECT_EQ(mtu(one), 1400u);
  EXPECT_EQ(mtu(two), 1392u);
}

TEST_F(InterfaceMtuTest, WhatTheDeviceHasMissedIsTheInterfacesLoss) {
  const InterfaceIndex index = make(0);
  EXPECT_EQ(interfaces->counter(index, InterfaceCounter::RxMiss), 0u);
  wire->missed = 7;
  EXPECT_EQ(interfaces->counter(index, InterfaceCounter::RxMiss), 7u);
  EXPECT_EQ(interfaces->counter(index, InterfaceCounter::RxNoBuffer), 0u);
}

}  // namespace
}  // namespace sluice
