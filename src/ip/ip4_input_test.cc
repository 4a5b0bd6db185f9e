// SPDX-License-Identifier: Apache-2.0
#include "sluice/kernels/ip4_input.h"

#include <gtest/gtest.h>

#include "ip/test_packets.h"

namespace sluice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using Next = Ip4Input::Next;
using Drop = Ip4Input::Drop;

Bytes good() { return ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(40)); }
Bytes with_options(const Bytes& options) { return ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(8), 64, 0, options); }
Outcome fate(const Bytes& packet) {
  NodeTest<Ip4Input> node;
  return node.run({packet})[0];
}
Bytes resummed(Bytes packet) {
  set_header_checksum(as<Ip4Header>(packet));
  return packet;
}

TEST(Ip4Input, PassesAGoodPacketToTheLookupUnchanged) {
  NodeTest<Ip4Input> node;
  const auto out = node.run({good(), ip4_packet("192.0.2.1", "198.51.100.1", 6, payload(1400), 1)});
  EXPECT_EQ(out[0], verdict(Next::Ip4Lookup).with(good()));
  EXPECT_EQ(out[1], verdict(Next::Ip4Lookup));
}

TEST(Ip4Input, CutsLinkPaddingOff) { EXPECT_EQ(fate(good() + Bytes(6)), verdict(Next::Ip4Lookup).with(good())); }

TEST(Ip4Input, CutsPaddingOffThatLiesInALaterSegment) {
  TestWorld world;
  const auto in = world.add_interface();
  Packet* packet = world.make(good() + Bytes(30), 50);
  ASSERT_NE(packet->next_segment, nullptr);
  packet->rx_interface = in;
  EXPECT_EQ(Ip4Input{}(*packet, world.worker(), nullptr), Ip4Input::Verdict(Next::Ip4Lookup));
  EXPECT_EQ(TestWorld::bytes_of(*packet), good());
  EXPECT_EQ(packet->chain_length, good().size());
  world.worker().buffers().free(packet);
}

TEST(Ip4Input, SetsTableAndOffsetsForTheNodesBehind) {
  TestWorld world;
  const auto in = world.add_interface([](InterfaceState& s) { s.table4 = TableIndex{3}; });
  Packet* packet = world.make(with_options({1, 1, 1, 0}));
  packet->rx_interface = in;
  EXPECT_EQ(Ip4Input{}(*packet, world.worker(), nullptr), Ip4Input::Verdict(Next::Ip4Lookup));
  EXPECT_EQ(packet->table, TableIndex{3});
  EXPECT_EQ(packet->l4_offset - packet->l3_offset, 24);
  EXPECT_EQ(world.worker().counters(in)[InterfaceCounter::Ip4].get(), 1u);
  world.worker().buffers().free(packet);
}

TEST(Ip4Input, DropsWhatIsShorterThanAHeaderAtEveryLength) {
  NodeTest<Ip4Input> node;
  std::vector<Bytes> inputs;
  for (std::size_t n = 0; n < sizeof(Ip4Header); ++n) inputs.push_back(cut(good(), n));
  for (const auto& out : node.run(inputs)) EXPECT_EQ(out, verdict(Drop::Truncated));
}

TEST(Ip4Input, DropsOtherVersions) {
  Bytes packet = good();
  packet[0] = 0x65;
  EXPECT_EQ(fate(packet), verdict(Drop::BadVersion));
}

TEST(Ip4Input, DropsHeaderLengthsBelowTheLeastAndBeyondThePacket) {
  Bytes low = good(), high = cut(good(), 30);
  low[0] = 0x44;
  high[0] = 0x4f;
  EXPECT_EQ(fate(low), verdict(Drop::BadHeaderLength));
  EXPECT_EQ(fate(high), verdict(Drop::BadHeaderLength));
}

TEST(Ip4Input, DropsTotalLengthsBelowTheHeaderAndBeyondThePacket) {
  Bytes low = good(), high = good();
  as<Ip4Header>(low).total_length = be16(std::uint16_t{19});
  as<Ip4Header>(high).total_length = be16(static_cast<std::uint16_t>(good().size() + 1));
  EXPECT_EQ(fate(resummed(low)), verdict(Drop::BadTotalLength));
  EXPECT_EQ(fate(resummed(high)), verdict(Drop::BadTotalLength));
}

TEST(Ip4Input, DropsAWrongHeaderChecksum) {
  Bytes packet = good();
  packet[8] ^= 1;
  EXPECT_EQ(fate(packet), verdict(Drop::BadChecksum));
  Bytes options = with_options({1, 1, 1, 0});
  options[21] = 0;
  EXPECT_EQ(fate(options), verdict(Drop::BadChecksum));
}

TEST(Ip4Input, DropsMartianSources) {
  for (const char* source : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"}) {
    EXPECT_EQ(fate(ip4_packet(source, "10.0.0.2", 17, payload(8))), verdict(Drop::MartianSource)) << source;
  }
}

TEST(Ip4Input, DropsMartianDestinations) {
  for (const char* destination : {"0.0.0.0", "127.0.0.1", "240.0.0.1", "255.255.255.254"}) {
    EXPECT_EQ(fate(ip4_packet("10.0.0.1", destination, 17, payload(8))), verdict(Drop::MartianDestination));
  }
}

TEST(Ip4Input, GivesLinkScopeMulticastAndBroadcastToThisNodeAndDropsWiderMulticast) {
  EXPECT_EQ(fate(ip4_packet("0.0.0.0", "255.255.255.255", 17, payload(8))), verdict(Next::Ip4Local));
  EXPECT_EQ(fate(ip4_packet("10.0.0.1", "224.0.0.5", 89, payload(8))), verdict(Next::Ip4Local));
  EXPECT_EQ(fate(ip4_packet("10.0.0.1", "239.1.1.1", 17, payload(8))), verdict(Drop::Multicast));
}

TEST(Ip4Input, DropsUnicastInALinkLayerBroadcast) {
  NodeTest<Ip4Input> node;
  node.prepare = [](Packet& packet) { packet.flags |= kBroadcast; };
  EXPECT_EQ(node.run({good()})[0], verdict(Drop::LinkBroadcast));
}

TEST(Ip4Input, LetsOptionsPassRefusesSourceRoutesAndWrongLengths) {
  EXPECT_EQ(fate(with_options({7, 4, 4, 0})), verdict(Next::Ip4Lookup));           // record route
  EXPECT_EQ(fate(with_options({0, 0xff, 0xff, 0xff})), verdict(Next::Ip4Lookup));  // nothing counts behind the end
  EXPECT_EQ(fate(with_options({131, 4, 4, 0})), verdict(Drop::SourceRoute));
  EXPECT_EQ(fate(with_options({137, 4, 4, 0})), verdict(Drop::SourceRoute));
  EXPECT_EQ(fate(with_options({7, 0, 0, 0})), verdict(Drop::BadOption));
  EXPECT_EQ(fate(with_options({7, 5, 0, 0})), verdict(Drop::BadOption));
  EXPECT_EQ(fate(with_options({1, 1, 1, 7})), verdict(Drop::BadOption));
}

// What becomes of a packet whose sender wants the checksum from `start` on at `start + offset`.
Outcome with_checksum_at(const Bytes& packet, std::uint16_t start, std::uint16_t offset) {
  NodeTest<Ip4Input> node;
  node.prepare = [&](Packet& p) {
    p.flags |= kChecksumPartial;
    p.checksum_start = static_cast<std::uint16_t>(p.offset() + start);
    p.checksum_offset = offset;
  };
  return node.run({packet})[0];
}

TEST(Ip4Input, TakesAPartialChecksumWhereTheProtocolHasOneOrInsideATunnel) {
  constexpr std::uint8_t kTcp = 6, kUdp = 17, kGre = 47, kSctp = 132;
  const auto packet = [](std::uint8_t protocol) { return ip4_packet("10.0.0.1", "10.0.0.2", protocol, payload(60)); };
  EXPECT_EQ(with_checksum_at(packet(kTcp), 20, 16), verdict(Next::Ip4Lookup));
  EXPECT_EQ(with_checksum_at(packet(kUdp), 20, 6), verdict(Next::Ip4Lookup));
  EXPECT_EQ(with_checksum_at(packet(kSctp), 20, 8), verdict(Next::Ip4Lookup));
  EXPECT_EQ(with_checksum_at(with_options({1, 1, 1, 0}), 24, 6), verdict(Next::Ip4Lookup));
  EXPECT_EQ(with_checksum_at(packet(kUdp), 56, 16), verdict(Next::Ip4Lookup)) << "a tunnel in UDP";
  EXPECT_EQ(with_checksum_at(packet(kGre), 44, 16), verdict(Next::Ip4Lookup)) << "a tunnel in GRE";
}

TEST(Ip4Input, DropsAPartialChecksumThatWouldChangeACheckedHeader) {
  constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kGre = 47;
  const auto packet = [](std::uint8_t protocol) { return ip4_packet("10.0.0.1", "10.0.0.2", protocol, payload(60)); };
  for (const std::uint8_t protocol : {kIcmp, kTcp, kUdp, kGre}) {
    for (std::uint16_t start = 0; start < 20; ++start) {
      EXPECT_EQ(with_checksum_at(packet(protocol), start, 12), verdict(Drop::ChecksumPlace)) << start;
    }
    EXPECT_EQ(with_checksum_at(packet(protocol), 20, 2), verdict(Drop::ChecksumPlace));
    EXPECT_EQ(with_checksum_at(packet(protocol), 22, 0), verdict(Drop::ChecksumPlace));
  }
  EXPECT_EQ(with_checksum_at(packet(kTcp), 20, 6), verdict(Drop::ChecksumPlace));
  EXPECT_EQ(with_checksum_at(packet(kUdp), 20, 16), verdict(Drop::ChecksumPlace));
  EXPECT_EQ(with_checksum_at(packet(kTcp), 30, 3), verdict(Drop::ChecksumPlace)) << "the flags";
  EXPECT_EQ(with_checksum_at(with_options({1, 1, 1, 0}), 20, 2), verdict(Drop::ChecksumPlace)) << "an option";
  EXPECT_EQ(with_checksum_at(packet(kUdp) + Bytes(30), 70, 12), verdict(Drop::ChecksumPlace)) << "padding";
}

TEST(Ip4Input, DropsWhatCameFromADeletedInterface) {
  NodeTest<Ip4Input> node;
  node.prepare = [](Packet& packet) { packet.rx_interface = InterfaceIndex(packet.rx_interface.slot(), 9); };
  EXPECT_EQ(node.run({good()})[0], verdict(Drop::NoInterface));
}

}  // namespace
}  // namespace sluice
