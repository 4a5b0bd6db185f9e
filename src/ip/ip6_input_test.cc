// SPDX-License-Identifier: Apache-2.0
#include "sluice/kernels/ip6_input.h"

#include <gtest/gtest.h>

#include "ip/forwarding_fixture.h"
#include "sluice/kernels/ip6_lookup.h"
#include "sluice/kernels/ip6_rewrite.h"

namespace sluice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using Next = Ip6Input::Next;
using Drop = Ip6Input::Drop;

Bytes packet(const char* source = "fd00::1", const char* destination = "fd00::2", const Bytes& body = payload(40)) {
  return ip6_packet(source, destination, kIpProtocolUdp, body);
}
Bytes with_options(const Bytes& options, const char* destination = "fd00::2") {
  return ip6_packet("fd00::1", destination, kIpProtocolHopByHop, options + payload(16));
}
Outcome fate(const Bytes& bytes) {
  NodeTest<Ip6Input> node;
  return node.run({bytes})[0];
}

TEST(Ip6Input, PassesAGoodPacketAndCutsPaddingOff) {
  EXPECT_EQ(fate(packet()), verdict(Next::Ip6Lookup).with(packet()));
  EXPECT_EQ(fate(packet() + Bytes(6)), verdict(Next::Ip6Lookup).with(packet()));
}

TEST(Ip6Input, DropsWhatIsShorterThanAHeaderAtEveryLength) {
  for (std::size_t n = 0; n < sizeof(Ip6Header); ++n) EXPECT_EQ(fate(cut(packet(), n)), verdict(Drop::Truncated));
}

TEST(Ip6Input, DropsOtherVersionsAndLengthsBeyondThePacket) {
  Bytes bytes = packet();
  bytes[0] = 0x45;
  EXPECT_EQ(fate(bytes), verdict(Drop::BadVersion));
  EXPECT_EQ(fate(cut(packet(), packet().size() - 1)), verdict(Drop::BadPayloadLength));
}

TEST(Ip6Input, DropsMartians) {
  EXPECT_EQ(fate(packet("ff02::1")), verdict(Drop::MartianSource));
  EXPECT_EQ(fate(packet("::1")), verdict(Drop::MartianSource));
  EXPECT_EQ(fate(packet("::")), verdict(Drop::MartianSource));
  EXPECT_EQ(fate(packet("fd00::1", "::")), verdict(Drop::MartianDestination));
  EXPECT_EQ(fate(packet("fd00::1", "::1")), verdict(Drop::MartianDestination));
  EXPECT_EQ(fate(packet("fd00::1", "ff01::1")), verdict(Drop::MartianDestination));
}

TEST(Ip6Input, GivesLinkScopeMulticastToThisNodeAndDropsWiderOnes) {
  EXPECT_EQ(fate(packet("fe80::1", "ff02::1")), verdict(Next::Ip6Local));
  EXPECT_EQ(fate(packet("::", "ff02::1:ff00:1")), verdict(Next::Ip6Local)) << "duplicate address detection";
  EXPECT_EQ(fate(packet("fd00::1", "ff05::1")), verdict(Drop::Multicast));
}

TEST(Ip6Input, DropsUnicastInALinkLayerMulticast) {
  NodeTest<Ip6Input> node;
  node.prepare = [](Packet& p) { p.flags |= kBroadcast; };
  EXPECT_EQ(node.run({packet()})[0], verdict(Drop::LinkBroadcast));
}

TEST(Ip6Input, ReadsHopByHopOptions) {
  EXPECT_EQ(fate(with_options({17, 0, 5, 2, 0, 0, 1, 0})), verdict(Next::Ip6Lookup));         // router alert, PadN
  EXPECT_EQ(fate(with_options({17, 0, 0x1e, 4, 0, 0, 0, 0})), verdict(Next::Ip6Lookup));      // skip when unknown
  EXPECT_EQ(fate(with_options({17, 0, 0x5e, 4, 0, 0, 0, 0})), verdict(Drop::RefusedOption));  // discard
  EXPECT_EQ(fate(with_options({17, 0, 0x9e, 4, 0, 0, 0, 0})), verdict(Next::Ip6IcmpError));   // and tell
  EXPECT_EQ(fate(with_options({17, 0, 0xde, 4, 0, 0, 0, 0})), verdict(Next::Ip6IcmpError));
  EXPECT_EQ(fate(with_options({17, 0, 0xde, 4, 0, 0, 0, 0}, "ff02::1")), verdict(Drop::RefusedOption));
}

TEST(Ip6Input, DropsHopByHopHeadersThatAreCutOffOrWrong) {
  EXPECT_EQ(fate(with_options({17, 0, 1, 5, 0, 0, 0, 0})), verdict(Drop::BadHopByHop));
  EXPECT_EQ(fate(with_options({17, 0, 0, 0, 0, 0, 0, 1})), verdict(Drop::BadHopByHop));
  EXPECT_EQ(fate(with_options({17, 3, 1, 4, 0, 0, 0, 0})), verdict(Drop::BadHopByHop));
  EXPECT_EQ(fate(ip6_packet("fd00::1", "fd00::2", 0, payload(7))), verdict(Drop::BadHopByHop));
  EXPECT_EQ(fate(ip6_packet("fd00::1", "fd00::2", 0, {})), verdict(Drop::BadHopByHop));
}

TEST(Ip6Input, RefusesJumbograms) {
  EXPECT_EQ(fate(with_options({17, 0, 0xc2, 4, 0, 1, 0, 0})), verdict(Drop::Jumbo));
  Bytes bytes = with_options({17, 0, 0xc2, 4, 0, 1, 0, 0});
  as<Ip6Header>(bytes).payload_length = be16{};
  EXPECT_EQ(fate(bytes), verdict(Drop::Jumbo));
}

// What becomes of a packet whose sender wants the checksum from `start` on at `start + offset`.
Outcome with_checksum_at(const Bytes& bytes, std::uint16_t start, std::uint16_t offset) {
  NodeTest<Ip6Input> node;
  node.prepare = [&](Packet& p) {
    p.flags |= kChecksumPartial;
    p.checksum_start = static_cast<std::uint16_t>(p.offset() + start);
    p.checksum_offset = offset;
  };
  return node.run({bytes})[0];
}

TEST(Ip6Input, TakesAPartialChecksumWhereTheProtocolHasOneOrFurtherIn) {
  EXPECT_EQ(with_checksum_at(packet(), 40, 6), verdict(Next::Ip6Lookup));
  EXPECT_EQ(with_checksum_at(ip6_packet("fd00::1", "fd00::2", kIpProtocolTcp, payload(40)), 40, 16),
            verdict(Next::Ip6Lookup));
  EXPECT_EQ(with_checksum_at(with_options({17, 0, 5, 2, 0, 0, 1, 0}), 48, 6), verdict(Next::Ip6Lookup));
  EXPECT_EQ(with_checksum_at(packet(), 48, 16), verdict(Next::Ip6Lookup)) << "a tunnel in UDP";
}

TEST(Ip6Input, DropsAPartialChecksumThatWouldChangeACheckedHeader) {
  // Places 8 to 22 are in the source address, which a pod's guard compares.
  for (std::uint16_t start = 0; start < 40; ++start) {
    EXPECT_EQ(with_checksum_at(packet(), start, 6), verdict(Drop::ChecksumPlace)) << start;
  }
  EXPECT_EQ(with_checksum_at(packet(), 40, 16), verdict(Drop::ChecksumPlace));
  EXPECT_EQ(with_checksum_at(packet(), 42, 0), verdict(Drop::ChecksumPlace)) << "the destination port";
  EXPECT_EQ(with_checksum_at(with_options({17, 0, 5, 2, 0, 0, 1, 0}), 40, 6), verdict(Drop::ChecksumPlace));
  EXPECT_EQ(with_checksum_at(with_options({17, 0, 5, 2, 0, 0, 1, 0}), 44, 0), verdict(Drop::ChecksumPlace));
  EXPECT_EQ(with_checksum_at(packet() + Bytes(30), 60, 40), verdict(Drop::ChecksumPlace)) << "padding";
}

TEST(Ip6Input, DropsWhatCameFromADeletedInterface) {
  NodeTest<Ip6Input> node;
  node.prepare = [](Packet& p) { p.rx_interface = InterfaceIndex(p.rx_interface.slot(), 9); };
  EXPECT_EQ(node.run({packet()})[0], verdict(Drop::NoInterface));
}

struct Ip6Forwarding : ::testing::Test, ForwardingFixture {};

TEST_F(Ip6Forwarding, LookupFollowsTheLongestPrefixAtEveryLength) {
  NodeTest<Ip6Lookup> node{tables};
  route6("::/0", adjacency(InterfaceIndex{1, 1}));
  route6("2001:db8::/32", adjacency(InterfaceIndex{2, 1}));
  route6("2001:db8:0:1::/64", add(ForwardingKind::Connected, InterfaceIndex{3, 1}));
  route6("2001:db8:0:1::7/128", add(ForwardingKind::Local));
  route6("2001:db8:0:2::/64", add(ForwardingKind::Blackhole));
  const auto out = node.run({packet("fd00::1", "2001:db9::1"), packet("fd00::1", "2001:db8:1::1"),
                             packet("fd00::1", "2001:db8:0:1::8"), packet("fd00::1", "2001:db8:0:1::7"),
                             packet("fd00::1", "2001:db8:0:2::7")});
  EXPECT_EQ(out[0], verdict(Ip6Lookup::Next::Ip6Rewrite).on(InterfaceIndex{1, 1}));
  EXPECT_EQ(out[1], verdict(Ip6Lookup::Next::Ip6Rewrite).on(InterfaceIndex{2, 1}));
  EXPECT_EQ(out[2], verdict(Ip6Lookup::Next::Ip6Nd).on(InterfaceIndex{3, 1}));
  EXPECT_EQ(out[3], verdict(Ip6Lookup::Next::Ip6Local));
  EXPECT_EQ(out[4], verdict(Ip6Lookup::Drop::Blackhole));
  node.prepare = [](Packet& p) { p.table = TableIndex{9}; };
  EXPECT_EQ(node.run({packet()})[0], verdict(Ip6Lookup::Drop::NoTable));
}

TEST_F(Ip6Forwarding, RewriteCountsTheHopLimitDownAndNeverFragmentsForOthers) {
  NodeTest<Ip6Rewrite> node{tables};
  ForwardingIndex forwarding = adjacency(node.interface_of(1), 1280, Bytes(14, 9));
  std::uint32_t flags = 0;
  node.prepare = [&](Packet& p) {
    p.forwarding = forwarding;
    p.flags |= flags;
  };
  const Bytes big = packet("fd00::1", "fd00::2", payload(1241));
  Bytes expected = packet();
  as<Ip6Header>(expected).hop_limit = 63;
  EXPECT_EQ(node.run({packet()})[0], verdict(Ip6Rewrite::Next::InterfaceOutput).with(Bytes(14, 9) + expected));
  EXPECT_EQ(node.run({ip6_packet("fd00::1", "fd00::2", 17, payload(8), 1)})[0],
            verdict(Ip6Rewrite::Next::Ip6IcmpError));
  EXPECT_EQ(node.run({big})[0], verdict(Ip6Rewrite::Next::Ip6IcmpError).with(big));
  EXPECT_EQ(node.run({packet("fd00::1", "fd00::2", payload(1240))})[0], verdict(Ip6Rewrite::Next::InterfaceOutput));
  flags = kLocal;
  EXPECT_EQ(node.run({big})[0], verdict(Ip6Rewrite::Next::Ip6Fragment));
  forwarding = ForwardingIndex{0};
  EXPECT_EQ(node.run({packet()})[0], verdict(Ip6Rewrite::Drop::NoAdjacency));
  forwarding = adjacency(InterfaceIndex{0, 9});
  EXPECT_EQ(node.run({packet()})[0], verdict(Ip6Rewrite::Drop::NoInterface));
  forwarding = adjacency(node.interface_of(1), 0, Bytes(14));
  node.prepare = [&](Packet& p) {
    p.forwarding = forwarding;
    const std::size_t shift = p.headroom() - 13;
    std::memmove(p.data - shift, p.data, p.length);
    p.data -= shift;
  };
  EXPECT_EQ(node.run({packet()})[0], verdict(Ip6Rewrite::Drop::NoHeadroom));
}

}  // namespace
}  // namespace sluice
