// SPDX-License-Identifier: Apache-2.0
#include "interface/gro.h"

#include <map>
#include <random>

#include "interface/gro_fixture.h"

namespace sluice::gro_test {
namespace {

TEST_F(GroTest, MergesAFlowAndSegmentationGivesTheSameBytesBack) {
  for (const bool ethernet : {false, true}) {
    use(ethernet ? LinkLayer::Ethernet : LinkLayer::Ip, kAll);
    for (const bool ip6 : {false, true}) {
      for (const bool tcp : {false, true}) {
        Flow flow{.ip6 = ip6, .tcp = tcp, .ethernet = ethernet};
        std::vector<Input> inputs;
        for (int i = 0; i < 9; ++i) inputs.push_back(flow.next(1000));
        inputs.push_back(flow.next(300, kAck | TcpHeader::kPsh));
        const auto out = run(inputs);
        ASSERT_EQ(out.size(), 1u) << ip6 << tcp << ethernet;
        EXPECT_EQ(out[0].gso_size, 1000);
        EXPECT_EQ(out[0].whole.size(), inputs[0].bytes.size() + 8 * 1000 + 300);
        EXPECT_EQ(flat(out), bytes_of(inputs));
      }
    }
  }
  EXPECT_EQ(count(Gro::Count::SuperPackets), 8u);
  EXPECT_EQ(count(Gro::Count::Merged), 80u);
}

TEST_F(GroTest, ReachesSixtyFourKibibytesAndGoesOnWithTheNext) {
  Flow flow;
  std::vector<Input> inputs;
  for (int i = 0; i < 100; ++i) inputs.push_back(flow.next(1448));
  const auto out = run(inputs);
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0].whole.size(), 52 + 45 * 1448u) << "one more would be longer than an IP packet can be";
  EXPECT_EQ(flat(out), bytes_of(inputs));
}

TEST_F(GroTest, TakesNoMoreBuffersThanOneSystemCallSends) {
  for (const bool tcp : {false, true}) {
    Flow flow{.tcp = tcp};
    std::vector<Input> inputs;
    for (int i = 0; i < 150; ++i) inputs.push_back(flow.next(100));
    const auto out = run(inputs);
    EXPECT_EQ(out.size(), 3u);
    EXPECT_EQ(flat(out), bytes_of(inputs));
  }
}

TEST_F(GroTest, KeepsTheOrderOfEachFlowAmongOthers) {
  std::vector<Flow> flows;
  for (std::uint16_t i = 0; i < 100; ++i)
    flows.push_back({.ip6 = i % 2 == 0, .tcp = i % 3 != 0, .port = static_cast<std::uint16_t>(4000 + i)});
  std::vector<Input> inputs;
  std::mt19937 random(3);
  for (int i = 0; i < 256; ++i) inputs.push_back(flows[random() % flows.size()].next(200));
  std::map<Bytes, std::vector<Bytes>> before, after;
  const auto ports = [](const Bytes& b) { return Bytes(b.begin() + (b[0] >> 4 == 6 ? 40 : 20), b.begin() + 42); };
  for (const Input& i : inputs) before[ports(i.bytes)].push_back(i.bytes);
  const auto out = run(inputs);
  EXPECT_LT(out.size(), inputs.size());
  for (const Bytes& b : flat(out)) after[ports(b)].push_back(b);
  EXPECT_EQ(before, after);
}

TEST_F(GroTest, EndsASuperPacketWhereAHeaderDiffers) {
  for (const bool ip6 : {false, true}) {
    for (const int what : {0, 1, 2}) {
      Flow flow{.ip6 = ip6};
      const Input first = flow.next(100);
      if (what == 0) flow.sequence += 1;
      PacketBuilder b = flow.builder(100);
      if (what == 1) b.ttl(63);
      if (what == 2) b.tos(1);
      EXPECT_EQ(pair(first, flow.input(b)), 2u) << what << ip6;
    }
  }
  // Bytes of TCP's header that must be equal, and of IPv4's: what is changed here is what the checksums say too.
  for (const std::size_t at : {8u, 12u, 13u, 14u, 18u, 24u, 31u}) {
    Flow flow;
    const Input first = flow.next(100);
    Input second = flow.next(100);
    second.bytes[20 + at] ^= at == 12 ? 0x02 : at == 13 ? TcpHeader::kEce : 0x01;
    second.sum = Sum::Valid;
    EXPECT_EQ(run({first, second}).size(), 2u) << "byte " << at;
  }
}

TEST_F(GroTest, HeedsTheFlagsOfTcp) {
  struct Case {
    std::uint8_t first, second;
    std::size_t packets;
  };
  for (const Case& c : {Case{kAck, kAck, 1},
                        {kAck, kAck | 8, 1},
                        {kAck, kAck | 1, 1},
                        {kAck | 8, kAck, 2},
                        {kAck | 1, kAck, 2},
                        {kAck | 0x80, kAck, 1},
                        {kAck, kAck | 0x80, 2},
                        {kAck, kAck | 4, 2},
                        {kAck | 2, kAck, 2},
                        {kAck, kAck | 0x20, 2},
                        {kAck | 0x40, kAck | 0x40, 1},
                        {kAck, 0x50, 2}}) {
    Flow flow;
    const Input first = flow.next(100, c.first);
    EXPECT_EQ(pair(first, flow.next(100, c.second)), c.packets) << int{c.first} << ' ' << int{c.second};
  }
}

TEST_F(GroTest, HeedsTheIdentificationOfIp4) {
  struct Case {
    std::uint16_t first, second;
    bool dont_fragment;
    std::size_t packets;
  };
  for (const Case& c : {Case{7, 8, true, 1},
                        {7, 8, false, 1},
                        {0xffff, 0, false, 1},
                        {7, 7, true, 2},
                        {7, 9, true, 2},
                        {0, 0, true, 1},
                        {0, 0, false, 2},
                        {0, 1, true, 2},
                        {0, 1, false, 1}}) {
    Flow flow{.id = c.first, .dont_fragment = c.dont_fragment};
    const Input first = flow.next(100);
    flow.id = c.second;
    EXPECT_EQ(pair(first, flow.next(100)), c.packets) << c.first << ' ' << c.second << ' ' << c.dont_fragment;
  }
}

TEST_F(GroTest, HeedsSizes) {
  for (const bool tcp : {false, true}) {
    Flow flow{.tcp = tcp, .id = 7};
    EXPECT_EQ(run({flow.next(100), flow.next(101)}).size(), 2u) << "longer than those before";
    EXPECT_EQ(run({flow.next(100), flow.next(50), flow.next(100)}).size(), 2u) << "a shorter one is the last";
    EXPECT_EQ(run({flow.next(0), flow.next(0)}).size(), 2u) << "acknowledgements, and empty datagrams";
  }
}

TEST_F(GroTest, BelievesNoChecksum) {
  for (const bool tcp : {false, true}) {
    for (const Sum a : {Sum::Unchecked, Sum::Valid, Sum::Partial, Sum::Wrong}) {
      for (const Sum b : {Sum::Unchecked, Sum::Valid, Sum::Partial, Sum::Wrong}) {
        Flow flow{.tcp = tcp};
        Input first = flow.next(101), second = flow.next(77);
        first.sum = a;
        second.sum = b;
        EXPECT_EQ(pair(first, second), a == Sum::Wrong || b == Sum::Wrong ? 2u : 1u);
      }
    }
  }
  Flow flow{.tcp = false};
  const auto without = [&] { return flow.input(flow.builder(100)); };
  Input first = without(), second = without();
  for (Input* i : {&first, &second}) i->bytes[26] = i->bytes[27] = 0;
  EXPECT_EQ(pair(first, second), 2u) << "datagrams without a checksum";
}

TEST_F(GroTest, LetsSuperPacketsGrow) {
  Flow flow;
  Input first = flow.next(2000), second = flow.next(2500), third = flow.next(1000);
  flow.id = static_cast<std::uint16_t>(flow.id + 3);
  first.gso_size = second.gso_size = 1000;
  // Each segment has an identification of its own.
  second.bytes[4] = 0, second.bytes[5] = 0;
  second.bytes[10] = second.bytes[11] = 0;
  const std::uint16_t sum = checksum_finish(checksum_add(0, second.bytes.data(), 20));
  std::memcpy(&second.bytes[10], &sum, 2);
  const auto out = run({first, second, third});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].whole.size(), 52 + 4500u);
  EXPECT_EQ(out[0].segments.size(), 5u);
  second.gso_size = 900;
  EXPECT_EQ(run({first, second}).size(), 2u);
}

TEST_F(GroTest, PutsNothingBeforeWhatIsNotClear) {
  Flow flow;
  const auto fragment = flow.input(PacketBuilder().ip4("10.0.0.1", "10.0.0.2").fragment(64, true).payload_size(64));
  Flow six{.ip6 = true, .tcp = false};
  const auto options =
      six.input(PacketBuilder().ip6("fd00::1", "fd00::2").destination_options().udp(4000, 80).payload_size(100));
  auto lies = flow.next(100);
  lies.bytes.resize(lies.bytes.size() - 1);
  for (const Input& between : {fragment, options, lies}) {
    std::vector<Input> inputs{flow.next(100), six.next(100), between, flow.next(100), six.next(100)};
    const auto out = run(inputs);
    EXPECT_EQ(out.size(), inputs.size());
    EXPECT_EQ(flat(out), bytes_of(inputs));
  }
  // Other protocols have no flow that could be torn.
  std::vector<Input> inputs{flow.next(100), flow.input(PacketBuilder().ip4("10.0.0.1", "10.0.0.2").echo_request()),
                            flow.next(100)};
  EXPECT_EQ(run(inputs).size(), 2u);
}

TEST_F(GroTest, MergesOnlyWhatTheOutputTakes) {
  for (const Offloads& o : {Offloads{}, Offloads{true, false, true, true}, Offloads{false, true, true, true}}) {
    use(LinkLayer::Ip, o);
    Flow flow;
    EXPECT_EQ(pair(flow.next(100), flow.next(100)), 2u);
  }
  use(LinkLayer::Ip, {true, true, true, false});
  Flow udp{.tcp = false};
  EXPECT_EQ(pair(udp.next(100), udp.next(100)), 2u);
  Flow flow;
  Input elsewhere = flow.next(100);
  elsewhere.tx = node.world.add_interface([](InterfaceState& s) {
    s.link = LinkLayer::Ip;
    s.offloads = kAll;
  });
  EXPECT_EQ(run({elsewhere, flow.next(100)}).size(), 2u);
  Input gone = flow.next(100);
  gone.tx = InterfaceIndex(99, 1);
  EXPECT_EQ(run({gone, gone}).size(), 2u);
}

TEST_F(GroTest, LeavesAPacketAloneAsItIs) {
  use(LinkLayer::Ip, kAll);
  node.prepare = [this](Packet& packet) { packet.tx_interface = tx; };
  Flow flow;
  const Bytes bytes = flow.next(100).bytes;
  EXPECT_EQ(node.run({bytes})[0], testing::verdict(Gro::Next::Continue).with(bytes));
}

// Streams that are broken, mixed and damaged at random: each flow comes out byte for byte and in its order.
TEST_F(GroTest, AnyVectorComesOutAsItWentIn) {
  std::mt19937 random(11);
  std::uint64_t merged = 0;
  for (int round = 0; round < 400; ++round) {
    std::vector<Flow> flows;
    for (std::uint16_t i = 0; i < 1 + random() % 6; ++i)
      flows.push_back({.ip6 = random() % 2 == 0, .tcp = random() % 3 != 0, .port = static_cast<std::uint16_t>(i)});
    std::vector<Input> inputs;
    const std::size_t n = 2 + random() % 120, usual = 1 + random() % 1400;
    for (std::size_t i = 0; i < n; ++i) {
      Flow& flow = flows[random() % flows.size()];
      const std::uint8_t flags = random() % 20 == 0 ? static_cast<std::uint8_t>(random()) : kAck;
      Input input = flow.next(random() % 8 == 0 ? random() % 1400 : usual, flags);
      if (random() % 30 == 0) flow.sequence += 1;
      if (random() % 30 == 0) flow.id = static_cast<std::uint16_t>(flow.id + 1);
      input.sum = random() % 20 == 0 ? Sum::Wrong : static_cast<Sum>(random() % 3);
      if (random() % 25 == 0) {
        input.bytes[random() % input.bytes.size()] ^= static_cast<std::uint8_t>(1 << random() % 8);
        // Damage is what a checksum that was not looked at yet would show.
        input.sum = Sum::Unchecked;
      }
      inputs.push_back(std::move(input));
    }
    std::map<Bytes, std::vector<Bytes>> before, after;
    const auto key = [](const Bytes& b) {
      const bool ip6 = b[0] >> 4 == 6;
      return Bytes(b.begin() + (ip6 ? 8 : 12), b.begin() + (ip6 ? 44 : 24));
    };
    for (const Input& i : inputs) {
      Bytes bytes = i.bytes;
      if (i.sum == Sum::Wrong) bytes[i.l4 + (i.tcp ? 16 : 6)] ^= 0x55;
      before[key(bytes)].push_back(bytes);
    }
    const std::uint64_t had = count(Gro::Count::Merged);
    for (const Bytes& b : flat(run(inputs, round % 2 == 0))) after[key(b)].push_back(b);
    merged += count(Gro::Count::Merged) - had;
    ASSERT_EQ(before, after) << "round " << round;
  }
  EXPECT_GT(merged, 5000u);
}

}  // namespace
}  // namespace sluice::gro_test
