// SPDX-License-Identifier: Apache-2.0
#include "sluice/kernels/ip4_rewrite.h"

#include <gtest/gtest.h>

#include "ip/forwarding_fixture.h"

namespace sluice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using Next = Ip4Rewrite::Next;
using Drop = Ip4Rewrite::Drop;

struct Ip4RewriteTest : ::testing::Test, ForwardingFixture {
  NodeTest<Ip4Rewrite> node{tables};
  ForwardingIndex forwarding;
  Ip4RewriteTest() {
    node.prepare = [this](Packet& packet) { setup(packet); };
    forwarding = adjacency(node.interface_of(0));
  }
  void setup(Packet& packet) {
    packet.forwarding = forwarding;
    packet.l4_offset = static_cast<std::uint16_t>(packet.l3_offset + 20);
  }
  static Bytes packet_of(std::size_t size, std::uint8_t ttl = 64, std::uint16_t fragment = 0) {
    return ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(size - 20), ttl, fragment);
  }
  IcmpErrorRequest error_of(const Bytes& bytes, std::uint32_t flags = 0) {
    Packet* packet = node.world.make(bytes);
    packet->l3_offset = packet->offset();
    setup(*packet);
    packet->flags |= flags;
    EXPECT_EQ(node.kernel(*packet, node.world.worker(), nullptr), Ip4Rewrite::Verdict(Next::Ip4IcmpError));
    const auto error = packet->icmp_error;
    EXPECT_EQ(TestWorld::bytes_of(*packet), bytes) << "an error quotes the packet as it came";
    node.world.worker().buffers().free(packet);
    return error;
  }
};

TEST_F(Ip4RewriteTest, CountsTheTtlDownAndKeepsTheChecksumRight) {
  for (unsigned ttl = 2; ttl < 256; ++ttl) {
    Bytes expected = packet_of(60, static_cast<std::uint8_t>(ttl - 1));
    const auto out = node.run({packet_of(60, static_cast<std::uint8_t>(ttl))})[0];
    ASSERT_EQ(out, verdict(Next::InterfaceOutput).with(expected).on(node.interface_of(0)));
  }
}

TEST_F(Ip4RewriteTest, KeepsTheChecksumRightForEveryValueThatItCanHave) {
  for (unsigned id = 0; id < 0x10000; ++id) {
    Bytes before = packet_of(20), after = packet_of(20, 63);
    as<Ip4Header>(before).id = as<Ip4Header>(after).id = be16(static_cast<std::uint16_t>(id));
    set_header_checksum(as<Ip4Header>(before));
    set_header_checksum(as<Ip4Header>(after));
    Packet* packet = node.world.make(before);
    packet->l3_offset = packet->offset();
    setup(*packet);
    node.kernel(*packet, node.world.worker(), nullptr);
    ASSERT_EQ(TestWorld::bytes_of(*packet), after) << "id " << id;
    node.world.worker().buffers().free(packet);
  }
}

TEST_F(Ip4RewriteTest, PutsTheLinkHeaderInFront) {
  const Bytes header = ethernet("02::2", "02::1", kEthertypeIp4, {});
  forwarding = adjacency(node.interface_of(2), 0, header);
  EXPECT_EQ(node.run({packet_of(100)})[0],
            verdict(Next::InterfaceOutput).with(header + packet_of(100, 63)).on(node.interface_of(2)));
}

TEST_F(Ip4RewriteTest, AnswersWithTimeExceededWhenTheTtlRunsOut) {
  for (std::uint8_t ttl : {0, 1}) {
    const auto error = error_of(packet_of(60, ttl));
    EXPECT_EQ(error.type, kIcmpTimeExceeded);
    EXPECT_EQ(error.code, 0);
  }
}

TEST_F(Ip4RewriteTest, LeavesTheTtlOfThisNodesOwnPackets) {
  node.prepare = [this](Packet& packet) {
    setup(packet);
    packet.flags |= kLocal;
  };
  EXPECT_EQ(node.run({packet_of(60, 1)})[0], verdict(Next::InterfaceOutput).with(packet_of(60, 1)));
}

TEST_F(Ip4RewriteTest, SendsExactlyTheMtuAndFragmentsOneByteMore) {
  forwarding = adjacency(node.interface_of(0), 576);
  const auto out = node.run({packet_of(576), packet_of(577)});
  EXPECT_EQ(out[0], verdict(Next::InterfaceOutput));
  EXPECT_EQ(out[1], verdict(Next::Ip4Fragment).with(packet_of(577)));
}

TEST_F(Ip4RewriteTest, AsksForFragmentsWhenTheyAreForbidden) {
  const auto error = error_of(packet_of(1501, 64, 0x4000));
  EXPECT_EQ(error.type, kIcmpUnreachable);
  EXPECT_EQ(error.code, 4);
  EXPECT_EQ(error.mtu_or_pointer, 1500u);
}

TEST_F(Ip4RewriteTest, MeasuresASuperPacketByItsSegments) {
  Bytes tcp(20);
  tcp[12] = 8 << 4;  // 12 bytes of options
  const Bytes super = ip4_packet("10.0.0.1", "10.0.0.2", 6, tcp + payload(9000), 64, 0x4000);
  std::uint16_t segment = 1448;
  node.prepare = [&](Packet& packet) {
    setup(packet);
    packet.flags |= kGso;
    packet.gso_type = GsoType::Tcp4;
    packet.gso_size = segment;
  };
  EXPECT_EQ(node.run({super})[0], verdict(Next::InterfaceOutput));
  segment = 1449;
  EXPECT_EQ(node.run({super})[0], verdict(Next::Ip4IcmpError));
}

TEST_F(Ip4RewriteTest, DropsWhenInterfaceOrAdjacencyAreGone) {
  forwarding = adjacency(InterfaceIndex{0, 9});
  EXPECT_EQ(node.run({packet_of(60)})[0], verdict(Drop::NoInterface));
  forwarding = ForwardingIndex{0};
  EXPECT_EQ(node.run({packet_of(60)})[0], verdict(Drop::NoAdjacency));
}

TEST_F(Ip4RewriteTest, DropsWhenThereIsNoRoomForTheLinkHeader) {
  forwarding = adjacency(node.interface_of(0), 0, Bytes(14));
  node.prepare = [this](Packet& packet) {
    const std::size_t shift = packet.headroom() - 13;
    std::memmove(packet.data - shift, packet.data, packet.length);
    packet.data -= shift;
    packet.l3_offset = packet.offset();
    setup(packet);
  };
  EXPECT_EQ(node.run({packet_of(60)})[0], verdict(Drop::NoHeadroom));
}

}  // namespace
}  // namespace sluice
