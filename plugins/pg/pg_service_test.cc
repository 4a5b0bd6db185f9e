// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>

#include "service.h"
#include "sluice/testing/test_node.h"

namespace sluice::pg {
namespace {

using testing::TestNode;

// Stands in for every node that a packet may reach here: counts packets by the interface that they came from.
struct Arrived {
  std::atomic<std::uint64_t> from_interface{0}, sent{0};
};
template <char Which>
struct Sink {
  static constexpr NodeInfo kInfo{Which == 'o'   ? "interface-output"
                                  : Which == '4' ? "ip4-input"
                                  : Which == '6' ? "ip6-input"
                                                 : "ethernet-input",
                                  "counts packets", Which != 'o'};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Counted };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test has counted it"; }
  Arrived& arrived;
  Verdict operator()(Packet& packet, Worker& worker, Trace*) const noexcept {
    if (Which == 'o' && worker.interface(packet.tx_interface)) ++arrived.sent;
    if (Which != 'o' && worker.interface(packet.rx_interface)) ++arrived.from_interface;
    return Drop::Counted;
  }
};

// Only ever reached along its arc.
struct PgTestFeature {
  static constexpr NodeInfo kInfo{"pg-test-feature", "goes on"};
  static constexpr FeatureInfo kFeature{.arc = "device-input"};
  enum class Next : std::uint8_t { Continue };
  enum class Drop : std::uint8_t {};
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  Verdict operator()(Packet&, Worker&, Trace*) const noexcept { return Next::Continue; }
};

// A device that neither receives nor sends.
class Quiet final : public Device {
 public:
  explicit Quiet(LinkLayer link) { info_.link = link; }
  std::string_view driver() const override { return "quiet"; }
  const DeviceInfo& info() const override { return info_; }
  StatusOr<std::vector<std::unique_ptr<RxQueue>>> open_rx() override {
    std::vector<std::unique_ptr<RxQueue>> queues;
    queues.push_back(std::make_unique<Rx>());
    return queues;
  }
  StatusOr<std::vector<std::unique_ptr<TxQueue>>> open_tx() override {
    std::vector<std::unique_ptr<TxQueue>> queues;
    queues.push_back(std::make_unique<Tx>());
    return queues;
  }

 private:
  struct Rx final : RxQueue {
    std::size_t receive(Worker&, std::span<Packet*>) noexcept override { return 0; }
  };
  struct Tx final : TxQueue {
    std::size_t transmit(Worker&, std::span<Packet* const>) noexcept override { return 0; }
  };
  DeviceInfo info_;
};

constexpr std::string_view kUdp = "stream ethernet src 02::1 dst 02::2 / ip4 src 10.0.0.1 dst 10.0.0.2 / udp";

struct PgServiceTest : ::testing::Test {
  PgServiceTest() {
    for (const auto& [name, link] : {std::pair{"eth0", LinkLayer::Ethernet}, std::pair{"tun0", LinkLayer::Ip}}) {
      const auto index = node.context().interfaces().create(name, std::make_unique<Quiet>(link));
      EXPECT_TRUE(index.ok());
      EXPECT_TRUE(node.context().interfaces().set_state(*index, true).ok());
    }
  }
  std::string error(std::string_view command, std::string_view stream = kUdp) {
    return node.error(fmt::format("{} {}", command, stream));
  }
  StreamState shown(std::string_view name) {
    EXPECT_EQ(node.error(fmt::format("show packet-generator {}", name)), "");
    return node.replies.empty() ? StreamState() : node.reply<StreamState>();
  }
  bool done(std::string_view name) {
    return node.wait_for([&] { return shown(name).state() == "done"; });
  }

  Arrived arrived;
  TestNode node{[this](Registry& registry) {
                  registry.driver("quiet");
                  registry.node<Sink<'o'>>(arrived);
                  registry.node<Sink<'4'>>(arrived);
                  registry.node<Sink<'6'>>(arrived);
                  registry.node<Sink<'e'>>(arrived);
                  registry.feature<PgTestFeature>();
                  registry.own<Service>(registry).offer(registry.context->api());
                },
                2};
};

TEST_F(PgServiceTest, SendsIntoAnInterfaceWhichCountsThePackets) {
  EXPECT_EQ(error("create packet-generator s interface eth0 count 1000 size 100"), "");
  EXPECT_EQ(shown("s").state(), "stopped");
  EXPECT_EQ(node.error("packet-generator start"), "");
  ASSERT_TRUE(done("s"));
  EXPECT_EQ(shown("s").sent(), 1000u);
  EXPECT_EQ(shown("s").bytes(), 100'000u);
  EXPECT_EQ(shown("s").target(), "into eth0");
  EXPECT_TRUE(node.wait_for([&] { return arrived.from_interface == 1000u; }));
  const auto index = node.context().interfaces().find("eth0")->index;
  EXPECT_EQ(node.context().interfaces().counter(index, InterfaceCounter::RxPackets), 1000u);
  EXPECT_EQ(node.error("packet-generator start s"), "");
  ASSERT_TRUE(done("s"));
  EXPECT_TRUE(node.wait_for([&] { return arrived.from_interface == 2000u; }));
}

TEST_F(PgServiceTest, StartsAllStreamsOrNone) {
  for (const char* name : {"a", "b", "c"})
    EXPECT_EQ(error(fmt::format("create packet-generator {} interface eth0 count 5", name)), "");
  EXPECT_EQ(node.error("packet-generator start a"), "");
  ASSERT_TRUE(done("a"));
  // One more file may be opened: the timer of the first stream.
  const int next = dup(0);
  close(next);
  rlimit limit{}, before{};
  getrlimit(RLIMIT_NOFILE, &before);
  limit = before;
  limit.rlim_cur = static_cast<rlim_t>(next) + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  const std::string said = node.error("packet-generator start");
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_NE(said.find("no timer"), std::string::npos) << said;
  EXPECT_EQ(shown("a").state(), "done");
  EXPECT_EQ(shown("a").sent(), 5u);
  EXPECT_EQ(shown("b").state(), "stopped");
  EXPECT_EQ(node.error("packet-generator start"), "");
  EXPECT_TRUE(done("a") && done("b") && done("c"));
}

TEST_F(PgServiceTest, SendsToANodeAndOutOfAnInterface) {
  EXPECT_EQ(error("create packet-generator a node ip4-input interface eth0 count 7 worker 1",
                  "stream ip4 src 10.0.0.1 dst 10.0.0.2 / udp"),
            "");
  EXPECT_EQ(error("create packet-generator b out eth0 count 9 rate 100000"), "");
  EXPECT_EQ(node.error("packet-generator start"), "");
  ASSERT_TRUE(done("a") && done("b"));
  EXPECT_TRUE(node.wait_for([&] { return arrived.from_interface == 7u; }));
  EXPECT_TRUE(node.wait_for([&] { return arrived.sent == 9u; }));
  EXPECT_EQ(shown("a").target(), "ip4-input, from eth0");
  EXPECT_EQ(shown("b").target(), "out of eth0");
}

TEST_F(PgServiceTest, RunsUntilItIsStoppedDeletedOrItsInterfaceGoes) {
  EXPECT_EQ(error("create packet-generator s interface eth0"), "");
  const auto runs = [&] {
    EXPECT_EQ(node.error("packet-generator start s"), "");
    return node.wait_for([&] { return shown("s").sent() > 1000; });
  };
  ASSERT_TRUE(runs());
  EXPECT_EQ(node.error("packet-generator start s"), "");
  EXPECT_TRUE(node.reply<Done>().unchanged());
  EXPECT_EQ(node.error("packet-generator stop"), "");
  EXPECT_EQ(shown("s").state(), "stopped");
  EXPECT_EQ(node.error("packet-generator stop"), "");
  EXPECT_TRUE(node.reply<Done>().unchanged());
  ASSERT_TRUE(runs());
  EXPECT_EQ(node.error("delete packet-generator s"), "");
  EXPECT_EQ(node.error("show packet-generator"), "");
  EXPECT_TRUE(node.replies.empty());

  EXPECT_EQ(error("create packet-generator s interface eth0"), "");
  ASSERT_TRUE(runs());
  EXPECT_EQ(node.error("delete interface eth0"), "");
  EXPECT_EQ(shown("s").state(), "stopped");
  EXPECT_EQ(node.error("packet-generator start"), "interface eth0 does not exist; show interface lists them");
}

TEST_F(PgServiceTest, TheSameStreamTwiceIsUnchangedAndAnotherOfItsNameIsRefused) {
  EXPECT_EQ(error("create packet-generator s interface eth0 count 5"), "");
  EXPECT_EQ(error("create packet-generator s interface eth0 count 5"), "");
  EXPECT_TRUE(node.reply<Done>().unchanged());
  EXPECT_EQ(error("create packet-generator s interface eth0 count 6"),
            "stream s exists and is different: modified: count: 5 -> 6; delete it first");
}

TEST_F(PgServiceTest, RefusesMoreStreamsThanThereMayBe) {
  for (std::size_t i = 0; i < Service::kMostStreams; ++i)
    ASSERT_EQ(error(fmt::format("create packet-generator s{} interface eth0", i)), "");
  const std::string full = fmt::format("stream one: there are {}, the most; delete one", Service::kMostStreams);
  EXPECT_EQ(error("create packet-generator one interface eth0"), full);
  EXPECT_EQ(error("create packet-generator s7 interface eth0"), "") << "what is there already is unchanged";
  EXPECT_EQ(node.error("delete packet-generator s7"), "");
  EXPECT_EQ(error("create packet-generator one interface eth0"), "");
}

TEST_F(PgServiceTest, RefusesNodesThatRelyOnWhatOthersHaveDone) {
  const std::string packet = "stream ip4 src 10.0.0.1 dst 10.0.0.2 / udp";
  for (const char* name : {"pg-test-feature", "interface-output", "quiet-output"}) {
    EXPECT_EQ(
        error(fmt::format("create packet-generator s node {} interface eth0", name), packet),
        fmt::format("stream s: node {} relies on what nodes before it have done; packets may begin at quiet-input, "
                    "ip4-input, ip6-input, ethernet-input",
                    name));
  }
  EXPECT_EQ(node.error("packet-generator start"), "there is no stream; make one with create packet-generator");
  EXPECT_EQ(error("create packet-generator s node quiet-input interface eth0 count 3"), "");
  EXPECT_EQ(node.error("packet-generator start"), "");
  ASSERT_TRUE(done("s"));
  EXPECT_TRUE(node.wait_for([&] { return arrived.from_interface == 3u; }));
}

TEST_F(PgServiceTest, RefusesWhatCannotWorkAndMakesNoStream) {
  const std::string target = "stream s: give interface NAME, node NODE interface NAME, or out NAME";
  EXPECT_EQ(error("create packet-generator s"), target);
  EXPECT_EQ(error("create packet-generator s interface eth0 out eth0"), target);
  EXPECT_EQ(error("create packet-generator s node ip4-input"), target);
  EXPECT_EQ(error("create packet-generator s node ip4-input out eth0"), target);
  EXPECT_EQ(error("create packet-generator s interface tun0"),
            "stream s: interface tun0 carries IP packets, the stream has Ethernet frames");
  EXPECT_EQ(error("create packet-generator s interface eth0 worker 2"), "worker 2: there are workers 0 to 1");
  EXPECT_EQ(node.error("create packet-generator s interface eth0"),
            "stream s: give either a description (stream …) or a capture (pcap FILE)");
  EXPECT_EQ(node.error("create packet-generator s interface eth0 size 64 pcap /dev/null"),
            "size 64: the packets of a capture have sizes of their own");
  EXPECT_EQ(error("create packet-generator s interface eth0", "stream ip9"),
            "stream: ip9: no such layer; there are ethernet, vlan, qinq, ip4, ip6, udp, tcp, icmp, payload");
  EXPECT_EQ(node.error("packet-generator start"), "there is no stream; make one with create packet-generator");
  EXPECT_NE(error("create packet-generator s interface eth9"), "");
  EXPECT_NE(node.error("delete packet-generator s"), "");
  EXPECT_EQ(node.error("show packet-generator"), "");
  EXPECT_TRUE(node.replies.empty());
}

}  // namespace
}  // namespace sluice::pg
