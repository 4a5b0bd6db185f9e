// SPDX-License-Identifier: Apache-2.0
#include "interface/interface_manager.h"

#include <gtest/gtest.h>

#include <atomic>

#include "interface/feature_manager.h"
#include "interface/nowhere_node.h"
#include "sluice/testing/wait_for.h"

namespace sluice {
namespace {

using testing::wait_for;

// A device in memory: packets put into it arrive, packets sent by it are counted.
class LoopDevice final : public Device {
 public:
  struct Wire {
    std::atomic<int> to_receive{0}, sent{0}, destroyed{0};
    bool carrier = true;
    bool gone = false;
  };
  explicit LoopDevice(Wire& wire, LinkLayer link = LinkLayer::Ip) : wire_(wire) {
    info_.link = link;
    info_.tx_queues = 1;
  }
  ~LoopDevice() override { ++wire_.destroyed; }
  std::string_view driver() const override { return "loop"; }
  const DeviceInfo& info() const override { return info_; }
  bool carrier() const override { return wire_.carrier; }
  Status check() const override { return wire_.gone ? unavailable("the wire was cut") : Status(); }
  StatusOr<std::vector<std::unique_ptr<RxQueue>>> open_rx() override {
    std::vector<std::unique_ptr<RxQueue>> queues;
    queues.push_back(std::make_unique<Rx>(wire_));
    return queues;
  }
  StatusOr<std::vector<std::unique_ptr<TxQueue>>> open_tx() override {
    std::vector<std::unique_ptr<TxQueue>> queues;
    queues.push_back(std::make_unique<Tx>(wire_));
    return queues;
  }

 private:
  struct Rx final : RxQueue {
    explicit Rx(Wire& w) : wire(w) {}
    std::size_t receive(Worker& worker, std::span<Packet*> packets) noexcept override {
      std::size_t n = 0;
      while (n < packets.size() && wire.to_receive.load() > 0) {
        Packet* packet = worker.buffers().alloc();
        if (!packet) {
          no_buffers.add();
          break;
        }
        --wire.to_receive;
        packet->data[0] = std::byte{0x45};
        packet->length = 20;
        packet->chain_length = 20;
        packets[n++] = packet;
      }
      return n;
    }
    Wire& wire;
  };
  struct Tx final : TxQueue {
    explicit Tx(Wire& w) : wire(w) {}
    std::size_t transmit(Worker& worker, std::span<Packet* const> packets) noexcept override {
      worker.buffers().free(packets);
      wire.sent += static_cast<int>(packets.size());
      return packets.size();
    }
    Wire& wire;
  };
  Wire& wire_;
  DeviceInfo info_;
};

// Stands in for the IP stack: sends everything out of one interface.
struct Ip4Input {
  static constexpr NodeInfo kInfo{"ip4-input", "sends back"};
  enum class Next : std::uint8_t { Device };
  enum class Drop : std::uint8_t {};
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  std::atomic<std::uint32_t>& out;
  Verdict operator()(Packet& packet, Worker&, Trace*) const noexcept {
    packet.tx_interface = InterfaceIndex(out.load());
    return Next::Device;
  }
};
struct InterfaceManagerTest : ::testing::TestWithParam<unsigned> {
  void SetUp() override {
    auto made = Dataplane::create({.workers = GetParam(), .pool = {.buffers = 4096, .hugepages = false}}, {});
    ASSERT_TRUE(made.ok());
    dataplane = std::move(*made);
    registry.driver("loop");
    registry.node<Ip4Input>(out);
    registry.node<test::Nowhere<'6'>>();
    registry.node<test::Nowhere<'e'>>();
    ASSERT_TRUE(dataplane->build(registry).ok());
    interfaces = std::make_unique<InterfaceManager>(*dataplane);
    dataplane->start();
  }
  void TearDown() override {
    interfaces.reset();
    dataplane->stop();
    EXPECT_EQ(dataplane->pool().usage().used, 0u) << "buffers leaked";
  }

  LoopDevice::Wire a, b;  // outlive the devices
  std::atomic<std::uint32_t> out{InterfaceIndex::kNone};
  Registry registry;
  std::unique_ptr<Dataplane> dataplane;
  std::unique_ptr<InterfaceManager> interfaces;
};

TEST_P(InterfaceManagerTest, ForwardsBetweenTwoInterfacesAndCounts) {
  const auto in = interfaces->create("a", std::make_unique<LoopDevice>(a));
  const auto to = interfaces->create("b", std::make_unique<LoopDevice>(b));
  ASSERT_TRUE(in.ok() && to.ok());
  ASSERT_TRUE(interfaces->set_state(*in, true).ok());
  ASSERT_TRUE(interfaces->set_state(*to, true).ok());
  out = to->value;
  a.to_receive = 10000;
  // Where a worker has to hand packets over, a full ring drops some, and counts them.
  wait_for([&] {
    return a.to_receive == 0 &&
           static_cast<std::uint64_t>(b.sent.load()) + interfaces->counter(*in, InterfaceCounter::Drops) == 10000;
  });
  EXPECT_EQ(interfaces->counter(*in, InterfaceCounter::RxPackets), 10000u);
  EXPECT_EQ(interfaces->counter(*to, InterfaceCounter::TxPackets), static_cast<std::uint64_t>(b.sent.load()));
  EXPECT_EQ(interfaces->counter(*to, InterfaceCounter::TxBytes), static_cast<std::uint64_t>(b.sent.load()) * 20);
}

TEST_P(InterfaceManagerTest, AnInterfaceThatIsDeletedUnderLoadLeavesNothingBehind) {
  for (int round = 0; round < 20; ++round) {
    const auto in = interfaces->create("a", std::make_unique<LoopDevice>(a));
    const auto to = interfaces->create("b", std::make_unique<LoopDevice>(b));
    ASSERT_TRUE(in.ok() && to.ok()) << text(in.status());
    ASSERT_TRUE(interfaces->set_state(*in, true).ok());
    ASSERT_TRUE(interfaces->set_state(*to, true).ok());
    out = to->value;
    a.to_receive = 100000;
    wait_for([&] { return a.to_receive < 99000; });
    ASSERT_TRUE(interfaces->remove(*to, {}).ok());
    ASSERT_TRUE(interfaces->remove(*in, {}).ok());
    EXPECT_EQ(interfaces->find(*in), nullptr);
    EXPECT_EQ(interfaces->name(*in), "deleted");
  }
  dataplane->rcu().drain();
  wait_for([&] { return a.destroyed == 20 && b.destroyed == 20; });
}

TEST_P(InterfaceManagerTest, RefusesBadNamesTakenNamesAndBadVlansAndChangesNothing) {
  EXPECT_EQ(text(interfaces->create("a b", std::make_unique<LoopDevice>(a)).status()),
            "interface name 'a b': must be 1 to 63 letters, digits or . _ - /");
  const auto in = interfaces->create("a", std::make_unique<LoopDevice>(a));
  ASSERT_TRUE(in.ok());
  EXPECT_EQ(text(interfaces->create("a", std::make_unique<LoopDevice>(a)).status()),
            "interface a exists; choose another name or delete it first");
  EXPECT_EQ(text(interfaces->create_vlan("a.5", *in, 5, 0).status()),
            "interface a has no Ethernet header, so it carries no VLANs");
  EXPECT_EQ(text(interfaces->would_create_vlan("a.5", *in, 5, 0)),
            "interface a has no Ethernet header, so it carries no VLANs");
  EXPECT_EQ(text(interfaces->set_mtu(*in, 10).status()), "mtu 10: a takes 68 to 65535 bytes");
  EXPECT_EQ(text(interfaces->would_set_mtu(*in, 10).status()), "mtu 10: a takes 68 to 65535 bytes");
  EXPECT_TRUE(*interfaces->would_set_mtu(*in, 1400));
  EXPECT_EQ(interfaces->find(*in)->mtu, 1500u);
  EXPECT_EQ(interfaces->list().size(), 1u);
}

TEST_P(InterfaceManagerTest, AVlanHasACarrierWhileItsParentIsUpAndHasOne) {
  a.carrier = false;
  const auto parent = interfaces->create("a", std::make_unique<LoopDevice>(a, LinkLayer::Ethernet));
  ASSERT_TRUE(parent.ok());
  ASSERT_TRUE(interfaces->set_state(*parent, true).ok());
  const auto vlan = interfaces->create_vlan("a.5", *parent, 5, 0);
  ASSERT_TRUE(vlan.ok());
  ASSERT_TRUE(interfaces->set_state(*vlan, true).ok());
  std::vector<std::string> heard;
  interfaces->listen([&](Interfaces::Event event, const InterfaceEntry& entry, const InterfaceAddress*) {
    if (event == Interfaces::Event::StateChanged) heard.push_back(entry.name + (entry.carrier ? " up" : " no-carrier"));
  });
  EXPECT_FALSE(interfaces->find(*vlan)->carrier);
  a.carrier = true;
  interfaces->check_devices();
  EXPECT_TRUE(interfaces->find(*vlan)->carrier);
  ASSERT_TRUE(interfaces->set_state(*parent, false).ok());
  EXPECT_FALSE(interfaces->find(*vlan)->carrier);
  ASSERT_TRUE(interfaces->set_state(*parent, true).ok());
  a.carrier = false;
  interfaces->check_devices();
  EXPECT_EQ(heard, (std::vector<std::string>{"a up", "a.5 up", "a up", "a.5 no-carrier", "a up", "a.5 up",
                                             "a no-carrier", "a.5 no-carrier"}));
}

TEST_P(InterfaceManagerTest, AnInterfaceThatIsDeletedIsNotListedAnyMore) {
  const auto gone = interfaces->create("a", std::make_unique<LoopDevice>(a));
  const auto stays = interfaces->create("b", std::make_unique<LoopDevice>(b));
  ASSERT_TRUE(gone.ok() && stays.ok());
  // It hears of the end of the test, too.
  const auto heard = std::make_shared<int>(0);
  interfaces->listen([this, heard, gone = *gone, stays = *stays](Interfaces::Event event, const InterfaceEntry& entry,
                                                                 const InterfaceAddress*) {
    if (event != Interfaces::Event::Deleted || entry.index != gone) return;
    ++*heard;
    EXPECT_EQ(interfaces->find(gone), &entry);
    EXPECT_EQ(interfaces->find("a"), nullptr);
    ASSERT_EQ(interfaces->list().size(), 1u);
    EXPECT_EQ(interfaces->list()[0]->index, stays);
  });
  ASSERT_TRUE(interfaces->remove(*gone, {}).ok());
  EXPECT_EQ(*heard, 1);
}

TEST_P(InterfaceManagerTest, KeepsPodsNamesForPods) {
  constexpr const char* kSentence =
      "interface name 'pod/web': names that begin with pod/ are the interfaces of pods; choose another one, or use "
      "create pod";
  EXPECT_EQ(text(interfaces->create("pod/web", std::make_unique<LoopDevice>(a), {}).status()), kSentence);
  EXPECT_EQ(text(interfaces->would_create("pod/web", {})), kSentence);
  const auto parent = interfaces->create("pod", std::make_unique<LoopDevice>(a), {});
  ASSERT_TRUE(parent.ok());
  EXPECT_EQ(text(interfaces->create_vlan("pod/web", *parent, 5, 0).status()), kSentence);
  EXPECT_TRUE(interfaces->would_create("pod/web", "pod").ok());
  const auto pod = interfaces->create("pod/web", std::make_unique<LoopDevice>(b), "pod");
  ASSERT_TRUE(pod.ok());
  EXPECT_EQ(interfaces->find(*pod)->owner, "pod");
}

TEST_P(InterfaceManagerTest, AnInterfaceGoesWithADeviceThatIsGoneForGood) {
  ASSERT_TRUE(interfaces->create("a", std::make_unique<LoopDevice>(a)).ok());
  ASSERT_TRUE(interfaces->create("b", std::make_unique<LoopDevice>(b)).ok());
  interfaces->check_devices();
  EXPECT_EQ(interfaces->list().size(), 2u);
  b.gone = true;
  interfaces->check_devices();
  ASSERT_EQ(interfaces->list().size(), 1u);
  EXPECT_EQ(interfaces->list().front()->name, "a");
  dataplane->rcu().drain();
  wait_for([&] { return b.destroyed == 1; });
}

TEST_P(InterfaceManagerTest, AStaleIndexIsRecognised) {
  const auto first = interfaces->create("a", std::make_unique<LoopDevice>(a));
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(interfaces->remove(*first, {}).ok());
  const auto second = interfaces->create("a", std::make_unique<LoopDevice>(a));
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(first->slot(), second->slot());
  EXPECT_NE(first->value, second->value);
  EXPECT_FALSE(interfaces->set_state(*first, true).ok());
}

TEST_P(InterfaceManagerTest, ALateMessageThatADeviceIsGoneDoesNotTakeTheNextOfItsName) {
  auto lost = std::make_unique<LoopDevice>(a), other = std::make_unique<LoopDevice>(b);
  LoopDevice* device = lost.get();
  const auto first = interfaces->create("a", std::move(lost));
  ASSERT_TRUE(first.ok());
  const auto on_lost = device->on_lost;
  ASSERT_TRUE(interfaces->remove(*first, {}).ok());
  const auto second = interfaces->create("a", std::move(other));
  ASSERT_TRUE(second.ok());
  on_lost(unavailable("the first one is gone"));
  ASSERT_NE(interfaces->find(*second), nullptr);
  interfaces->find(*second)->device->on_lost(unavailable("the second one is gone"));
  EXPECT_EQ(interfaces->find(*second), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Workers, InterfaceManagerTest, ::testing::Values(1u, 2u));

}  // namespace
}  // namespace sluice
