// SPDX-License-Identifier: Apache-2.0
// When an ICMP error is sent, and when it must not be: RFC 1812 section 4.3.2.7, RFC 4443 section 2.4.
#include <gtest/gtest.h>

#include "ip/ip4_icmp_error.h"
#include "ip/ip6_icmp_error.h"
#include "ip/test_packets.h"
#include "sluice/net/icmp.h"

namespace sluice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

template <class K>
struct ErrorTest : ::testing::Test {
  Rcu rcu;
  IpState state{rcu};
  NodeTest<K> node{state};
  IcmpErrorRequest request{};
  std::uint32_t flags = 0;
  ErrorTest() {
    node.neighbours_matter = true;  // errors are limited by the second
    node.prepare = [this](Packet& packet) {
      packet.icmp_error = request;
      packet.flags |= flags;
    };
    state.addresses.update([](AddressTable& t) {
      t.fallback4 = ip4("192.0.2.1");
      t.fallback6 = ip6("2001:db8::1");
    });
  }
  std::size_t answers(const Bytes& packet) { return node.run({packet})[0].emitted.size(); }
};
using Error4 = ErrorTest<Ip4IcmpError>;
using Error6 = ErrorTest<Ip6IcmpError>;

TEST_F(Error4, DropsThePacketForTheReasonThatItTells) {
  using Drop = Ip4IcmpError::Drop;
  const struct {
    std::uint8_t type, code;
    Drop reason;
  } cases[] = {{3, 0, Drop::NoRoute},         {3, 1, Drop::HostUnreachable},     {3, 2, Drop::ProtocolUnreachable},
               {3, 3, Drop::PortUnreachable}, {3, 4, Drop::FragmentationNeeded}, {3, 13, Drop::Prohibited},
               {11, 0, Drop::TtlExpired},     {11, 1, Drop::ReassemblyTimeout},  {12, 0, Drop::OtherError}};
  for (const auto& c : cases) {
    request = {c.type, c.code, 0, 0};
    const auto out = node.run({ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(8))})[0];
    EXPECT_EQ(out, verdict(c.reason));
    EXPECT_EQ(out.emitted.size(), 1u);
  }
  EXPECT_EQ(node.run({payload(19)})[0], verdict(Drop::Truncated));
}

TEST_F(Error4, IsSilentWhereAnErrorCouldMultiplyOrNobodyCouldHear) {
  request = {11, 0, 0, 0};
  EXPECT_EQ(answers(ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(8))), 1u);
  EXPECT_EQ(answers(ip4_packet("10.0.0.1", "10.0.0.2", 1, icmp(kIcmpEcho, 0, {}))), 1u);
  EXPECT_EQ(answers(ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(8), 64, 0x2000)), 1u) << "a first fragment";
  EXPECT_EQ(answers(ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(8), 64, 5)), 0u) << "a later fragment";
  EXPECT_EQ(answers(ip4_packet("10.0.0.1", "224.0.0.5", 17, payload(8))), 0u);
  EXPECT_EQ(answers(ip4_packet("10.0.0.1", "255.255.255.255", 17, payload(8))), 0u);
  for (const char* source : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "240.0.0.1"})
    EXPECT_EQ(answers(ip4_packet(source, "10.0.0.2", 17, payload(8))), 0u) << source;
  for (const std::uint8_t type : {3, 4, 5, 11, 12})
    EXPECT_EQ(answers(ip4_packet("10.0.0.1", "10.0.0.2", 1, icmp(type, 0, {}))), 0u) << int{type};
  EXPECT_EQ(answers(ip4_packet("10.0.0.1", "10.0.0.2", 1, {})), 0u) << "no ICMP header";
  flags = kBroadcast;
  EXPECT_EQ(answers(ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(8))), 0u);
  EXPECT_EQ(node.events(Ip4IcmpError::Count::Sent), 3u);
}

TEST_F(Error4, IsLimitedToABurst) {
  node.kernel.bucket = TokenBucket(1, 16);
  request = {11, 0, 0, 0};
  std::size_t sent = 0;
  for (int i = 0; i < 200; ++i) sent += answers(ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(8)));
  EXPECT_GE(sent, 16u);
  EXPECT_LT(sent, 100u);
  EXPECT_EQ(node.events(Ip4IcmpError::Count::RateLimited), 200 - sent);
}

TEST_F(Error4, NeedsAnAddressToSpeakFrom) {
  state.addresses.publish(std::make_unique<const AddressTable>());
  request = {11, 0, 0, 0};
  EXPECT_EQ(answers(ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(8))), 0u);
  EXPECT_EQ(node.events(Ip4IcmpError::Count::NoSource), 1u);
}

TEST_F(Error4, SpeaksFromTheInterfaceOnWhichThePacketCame) {
  state.addresses.update([](AddressTable& t) {
    t.by_slot.resize(1);
    t.by_slot[0].ip4 = {{ip4("198.51.100.1"), 24, false}, {ip4("10.0.0.254"), 24, false}};
  });
  request = {11, 0, 0, 0};
  auto out = node.run({ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(8))})[0];
  EXPECT_EQ(as<Ip4Header>(out.emitted[0].bytes).source, ip4("10.0.0.254")) << "in the peer's subnet";
}

TEST_F(Error6, DropsThePacketForTheReasonThatItTells) {
  using Drop = Ip6IcmpError::Drop;
  const struct {
    std::uint8_t type, code;
    Drop reason;
  } cases[] = {{1, 0, Drop::NoRoute},          {1, 1, Drop::Prohibited},
               {1, 2, Drop::BeyondScope},      {1, 3, Drop::AddressUnreachable},
               {1, 4, Drop::PortUnreachable},  {2, 0, Drop::PacketTooBig},
               {3, 0, Drop::HopLimitExceeded}, {3, 1, Drop::ReassemblyTimeout},
               {4, 1, Drop::UnknownHeader},    {4, 0, Drop::OtherError}};
  for (const auto& c : cases) {
    request = {c.type, c.code, 0, 0};
    const auto out = node.run({ip6_packet("fd00::1", "fd00::2", 17, payload(8))})[0];
    EXPECT_EQ(out, verdict(c.reason));
    EXPECT_EQ(out.emitted.size(), 1u);
  }
  EXPECT_EQ(node.run({payload(39)})[0], verdict(Drop::Truncated));
}

TEST_F(Error6, IsSilentWhereAnErrorCouldMultiplyOrNobodyCouldHear) {
  const Bytes error = icmp6_packet("fd00::1", "fd00::2", wire(IcmpHeader{1, 0, be16{}, be16{}, be16{}}));
  const Bytes redirect = icmp6_packet("fd00::1", "fd00::2", wire(IcmpHeader{137, 0, be16{}, be16{}, be16{}}));
  const Bytes to_many = ip6_packet("fd00::1", "ff02::1", 17, payload(8));
  request = {3, 0, 0, 0};
  EXPECT_EQ(answers(ip6_packet("::", "fd00::2", 17, payload(8))), 0u);
  EXPECT_EQ(answers(ip6_packet("ff02::1", "fd00::2", 17, payload(8))), 0u);
  EXPECT_EQ(answers(error), 0u);
  EXPECT_EQ(answers(redirect), 0u);
  EXPECT_EQ(answers(to_many), 0u);
  request = {2, 0, 0, 1280};
  EXPECT_EQ(answers(to_many), 1u) << "path MTU discovery works for multicast";
  request = {4, 2, 0, 40};
  EXPECT_EQ(answers(to_many), 1u);
}

}  // namespace
}  // namespace sluice
