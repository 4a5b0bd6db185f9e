// SPDX-License-Identifier: Apache-2.0
// Local delivery: ip4-local, ip6-local, echo, punt, and who may register.
#include <gtest/gtest.h>

#include "ip/ip4_icmp.h"
#include "ip/ip4_local.h"
#include "ip/ip4_punt.h"
#include "ip/ip6_icmp.h"
#include "ip/ip6_local.h"
#include "ip/ip6_punt.h"
#include "ip/local_registry.h"
#include "ip/test_packets.h"
#include "sluice/testing/memory_interfaces.h"

namespace sluice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

struct LocalTest : ::testing::Test {
  Rcu rcu;
  IpState state{rcu};
  MemoryInterfaces interfaces;
  LocalRegistry registry{state, interfaces};
  LocalTest() {
    for (const auto family : {IpFamily::Ip4, IpFamily::Ip6}) {
      EXPECT_TRUE(registry.add_udp_port(family, 4789, NodeIndex{77}).ok());
      EXPECT_TRUE(registry.add_protocol(family, 50, NodeIndex{78}).ok());
    }
  }
  static Bytes to4(std::uint8_t protocol, const Bytes& body, std::uint16_t fragment = 0) {
    return ip4_packet("10.0.0.1", "10.0.0.2", protocol, body, 64, fragment);
  }
  static Bytes to6(std::uint8_t protocol, const Bytes& body) {
    return ip6_packet("fd00::1", "fd00::2", protocol, body);
  }
  static Bytes with_udp(std::uint16_t length, std::uint16_t checksum) {
    Bytes bytes = udp(1, 4789, payload(20));
    as<UdpHeader>(bytes).length = be16(length);
    as<UdpHeader>(bytes).checksum = be16(checksum);
    return bytes;
  }
};

TEST_F(LocalTest, Ip4GoesToWhoRegisteredElseToTheHost) {
  NodeTest<Ip4Local> node{state};
  using Next = Ip4Local::Next;
  const auto out = node.run({to4(17, udp(1, 4789, payload(20))), to4(50, payload(9)), to4(17, udp(1, 53, payload(20))),
                             to4(6, payload(20)), to4(1, icmp(8, 0, {})), to4(17, payload(20), 0x2000)});
  EXPECT_EQ(out[0], verdict(Next::Registered).with(payload(20)));
  EXPECT_EQ(out[1], verdict(Next::Registered).with(payload(9)));
  EXPECT_EQ(out[2], verdict(Next::Ip4Punt));
  EXPECT_EQ(out[3], verdict(Next::Ip4Punt));
  EXPECT_EQ(out[4], verdict(Next::Ip4Icmp));
  EXPECT_EQ(out[5], verdict(Next::Ip4Reassembly));
}

TEST_F(LocalTest, Ip6GoesToWhoRegisteredElseToTheHost) {
  NodeTest<Ip6Local> node{state};
  using Next = Ip6Local::Next;
  const Bytes options{kIpProtocolUdp, 0, 1, 4, 0, 0, 0, 0};
  const auto out = node.run({to6(17, udp(1, 4789, payload(20))), to6(60, options + udp(1, 4789, payload(5))),
                             to6(50, payload(9)), to6(6, payload(20)), to6(58, payload(8)), to6(44, payload(16))});
  EXPECT_EQ(out[0], verdict(Next::Registered).with(payload(20)));
  EXPECT_EQ(out[1], verdict(Next::Registered).with(payload(5)));
  EXPECT_EQ(out[2], verdict(Next::Registered).with(payload(9)));
  EXPECT_EQ(out[3], verdict(Next::Ip6Punt));
  EXPECT_EQ(out[4], verdict(Next::Ip6Icmp));
  EXPECT_EQ(out[5], verdict(Next::Ip6Reassembly));
}

TEST_F(LocalTest, ChecksUdpInIp4) {
  NodeTest<Ip4Local> node{state};
  using Drop = Ip4Local::Drop;
  EXPECT_EQ(node.run({to4(17, payload(7))})[0], verdict(Drop::Truncated));
  for (const std::uint16_t length : {7, 29})
    EXPECT_EQ(node.run({to4(17, with_udp(length, 0))})[0], verdict(Drop::BadUdpLength));
  EXPECT_EQ(node.run({to4(17, with_udp(28, 0x1234))})[0], verdict(Drop::BadUdpChecksum));
}

TEST_F(LocalTest, ChecksUdpInIp6) {
  NodeTest<Ip6Local> node{state};
  using Drop = Ip6Local::Drop;
  EXPECT_EQ(node.run({to6(17, payload(7))})[0], verdict(Drop::Truncated));
  for (const std::uint16_t length : {7, 29})
    EXPECT_EQ(node.run({to6(17, with_udp(length, 0))})[0], verdict(Drop::BadUdpLength));
  EXPECT_EQ(node.run({to6(17, with_udp(28, 0x1234))})[0], verdict(Drop::BadUdpChecksum));
  const Bytes right = with_checksum6(to6(17, with_udp(28, 0)), kIpProtocolUdp, 6);
  EXPECT_EQ(node.run({right})[0], verdict(Ip6Local::Next::Registered));
}

TEST_F(LocalTest, RefusesIp6HeadersThatItCannotWalk) {
  NodeTest<Ip6Local> node{state};
  using Drop = Ip6Local::Drop;
  const auto chain = [](int n, std::uint8_t last) {
    Bytes bytes;
    while (n-- > 0) bytes = bytes + Bytes{n ? std::uint8_t{60} : last, 0, 1, 4, 0, 0, 0, 0};
    return bytes;
  };
  EXPECT_EQ(node.run({to6(60, chain(8, 50) + payload(9))})[0], verdict(Ip6Local::Next::Registered).with(payload(9)));
  EXPECT_EQ(node.run({to6(60, chain(9, 50) + payload(9))})[0], verdict(Drop::BadExtension));
  EXPECT_EQ(node.run({to6(60, {17, 9, 1, 4, 0, 0, 0, 0})})[0], verdict(Drop::BadExtension));
  EXPECT_EQ(node.run({to6(43, Bytes{17, 0, 0, 1, 0, 0, 0, 0} + payload(8))})[0], verdict(Drop::RoutingHeader));
  EXPECT_EQ(node.run({to6(59, {})})[0], verdict(Drop::NoNextHeader));
}

TEST_F(LocalTest, NeverLooksBehindAnAuthenticationHeader) {
  NodeTest<Ip6Local> node{state};
  const Bytes authentication{17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1};
  EXPECT_EQ(node.run({to6(51, authentication + udp(1, 4789, payload(20)))})[0], verdict(Ip6Local::Next::Ip6Punt));
}

TEST_F(LocalTest, EchoDropsAreNamed) {
  NodeTest<Ip4Icmp> node{state};
  using Drop = Ip4Icmp::Drop;
  Bytes wrong = icmp(kIcmpEcho, 0, payload(9));
  wrong.back() ^= 1;
  EXPECT_EQ(node.run({to4(1, payload(7))})[0], verdict(Drop::Truncated));
  EXPECT_EQ(node.run({to4(1, wrong)})[0], verdict(Drop::BadChecksum));
  EXPECT_EQ(node.run({ip4_packet("10.0.0.1", "255.255.255.255", 1, icmp(kIcmpEcho, 0, {}))})[0],
            verdict(Drop::BroadcastEcho));
  EXPECT_EQ(node.run({to4(1, icmp(kIcmpEchoReply, 0, {}))})[0], verdict(Ip4Icmp::Next::Ip4Punt));
}

TEST_F(LocalTest, Echo6DropsAreNamed) {
  NodeTest<Ip6Icmp> node{state};
  using Drop = Ip6Icmp::Drop;
  const auto message = [](std::uint8_t type) {
    return wire(IcmpHeader{type, 0, be16{}, be16{}, be16{}}) + payload(16);
  };
  const auto packet = [&](std::uint8_t type, const char* from = "fd00::1", const char* to = "fd00::2") {
    return icmp6_packet(from, to, message(type));
  };
  EXPECT_EQ(node.run({to6(58, payload(7))})[0], verdict(Drop::Truncated));
  Bytes wrong = packet(kIcmp6Echo);
  wrong.back() ^= 1;
  EXPECT_EQ(node.run({wrong})[0], verdict(Drop::BadChecksum));
  EXPECT_EQ(node.run({packet(kIcmp6Echo, "::")})[0], verdict(Drop::UnspecifiedSource));
  EXPECT_EQ(node.run({packet(kIcmp6Echo, "fd00::1", "ff02::1")})[0], verdict(Drop::NoSource));
  for (const std::uint8_t type : {130, 131, 132, 133, 134, 137, 143}) {
    EXPECT_EQ(node.run({packet(type)})[0], verdict(Drop::NotUsed)) << int{type};
  }
  for (const std::uint8_t type : {135, 136}) EXPECT_EQ(node.run({packet(type)})[0], verdict(Ip6Icmp::Next::Ip6NdInput));
  EXPECT_EQ(node.run({packet(kIcmp6EchoReply)})[0], verdict(Ip6Icmp::Next::Ip6Punt));
  EXPECT_EQ(node.run({packet(kIcmp6PacketTooBig)})[0], verdict(Ip6Icmp::Next::Ip6Punt));
}

TEST_F(LocalTest, GivesErrorsToWhoeverSentWhatTheyQuote) {
  EXPECT_TRUE(registry.add_protocol(IpFamily::Ip4, 4, NodeIndex{80}, NodeIndex{81}).ok());
  EXPECT_TRUE(registry.add_udp_port(IpFamily::Ip4, 8472, NodeIndex{82}, NodeIndex{83}).ok());
  NodeTest<Ip4Icmp> node4{state};
  const auto about4 = [&](std::uint8_t protocol, const Bytes& body, std::uint16_t fragment = 0) {
    return to4(1, icmp(kIcmpUnreachable, 4, ip4_packet("10.0.0.2", "10.0.0.9", protocol, body, 64, fragment)));
  };
  EXPECT_EQ(node4.run({about4(4, payload(8))})[0], verdict(Ip4Icmp::Next::Registered));
  EXPECT_EQ(node4.run({about4(17, udp(1, 8472, {}))})[0], verdict(Ip4Icmp::Next::Registered));
  EXPECT_EQ(node4.run({about4(17, udp(1, 4789, {}))})[0], verdict(Ip4Icmp::Next::Ip4Punt)) << "nobody for errors";
  EXPECT_EQ(node4.run({about4(17, udp(1, 53, {}))})[0], verdict(Ip4Icmp::Next::Ip4Punt));
  EXPECT_EQ(node4.run({about4(6, payload(8))})[0], verdict(Ip4Icmp::Next::Ip4Punt));
  EXPECT_EQ(node4.run({about4(4, payload(8), 5)})[0], verdict(Ip4Icmp::Next::Ip4Punt)) << "a later fragment";
  EXPECT_EQ(node4.run({to4(1, icmp(kIcmpRedirect, 0, ip4_packet("10.0.0.2", "10.0.0.9", 4, payload(8))))})[0],
            verdict(Ip4Icmp::Next::Ip4Punt));
  Bytes wrong = about4(4, payload(8));
  wrong.back() ^= 1;
  EXPECT_EQ(node4.run({wrong})[0], verdict(Ip4Icmp::Drop::BadChecksum));
}

TEST_F(LocalTest, GivesErrors6ToWhoeverSentWhatTheyQuote) {
  EXPECT_TRUE(registry.add_protocol(IpFamily::Ip6, 41, NodeIndex{80}, NodeIndex{81}).ok());
  EXPECT_TRUE(registry.add_udp_port(IpFamily::Ip6, 8472, NodeIndex{82}, NodeIndex{83}).ok());
  NodeTest<Ip6Icmp> node6{state};
  const auto about6 = [&](std::uint8_t protocol, const Bytes& body) {
    return icmp6_packet("fd00::9", "fd00::2",
                        wire(IcmpHeader{kIcmp6PacketTooBig, 0, be16{}, be16{}, be16{}}) +
                            ip6_packet("fd00::2", "fd00::9", protocol, body));
  };
  EXPECT_EQ(node6.run({about6(41, payload(8))})[0], verdict(Ip6Icmp::Next::Registered));
  EXPECT_EQ(node6.run({about6(17, udp(1, 8472, {}))})[0], verdict(Ip6Icmp::Next::Registered));
  EXPECT_EQ(node6.run({about6(17, udp(1, 53, {}))})[0], verdict(Ip6Icmp::Next::Ip6Punt));
  EXPECT_EQ(node6.run({about6(4, payload(8))})[0], verdict(Ip6Icmp::Next::Ip6Punt));
}

template <class K>
void punt_needs_a_known_host(IpState& state, const Bytes& packet, typename K::Next error) {
  NodeTest<K> node{state};
  using Drop = typename K::Drop;
  const auto target = [&](InterfaceIndex i, bool known) {
    state.punt.update([&](PuntTarget& t) { t = {i, known, mac("02::b")}; });
  };
  EXPECT_EQ(node.run({packet})[0], verdict(error));
  target(node.interface_of(0), true);
  EXPECT_EQ(node.run({packet})[0], verdict(Drop::FromHost));
  target(node.interface_of(5), false);
  EXPECT_EQ(node.run({packet})[0], verdict(Drop::NoHostAddress));
  target(node.interface_of(5), true);
  EXPECT_EQ(node.run({packet})[0], verdict(K::Next::InterfaceOutput).on(node.interface_of(5)));
  node.prepare = [](Packet& p) {
    const std::size_t shift = p.headroom() - 13;
    std::memmove(p.data - shift, p.data, p.length);
    p.data -= shift;
  };
  EXPECT_EQ(node.run({packet})[0], verdict(Drop::NoHeadroom));
}

TEST_F(LocalTest, PuntNeedsAHostThatIsKnownAndNotTheSender) {
  punt_needs_a_known_host<Ip4Punt>(state, to4(6, payload(20)), Ip4Punt::Next::Ip4IcmpError);
  state.punt.publish(std::make_unique<const PuntTarget>());
  punt_needs_a_known_host<Ip6Punt>(state, to6(6, payload(20)), Ip6Punt::Next::Ip6IcmpError);
}

TEST_F(LocalTest, PuntGoesToAnInterfaceThatExists) {
  EXPECT_EQ(text(registry.set_punt(InterfaceIndex{5, 1}, {}).status()), "no such interface");
  const auto host = interfaces.add("tap0");
  EXPECT_TRUE(*registry.set_punt(host, mac("02::b")));
  EXPECT_FALSE(*registry.set_punt(host, {})) << "what is known of the host stays";
  EXPECT_EQ(state.punt.get().host, mac("02::b"));
  EXPECT_TRUE(*registry.set_punt({}, {}));
  EXPECT_FALSE(state.punt.get().interface.valid());
}

TEST_F(LocalTest, APortOrProtocolHasOneTaker) {
  EXPECT_TRUE(registry.add_udp_port(IpFamily::Ip4, 4789, NodeIndex{77}).ok()) << "the same again is fine";
  EXPECT_EQ(text(registry.add_udp_port(IpFamily::Ip4, 4789, NodeIndex{79})),
            "UDP port 4789 of IPv4 is taken by another node");
  EXPECT_EQ(text(registry.add_protocol(IpFamily::Ip6, 50, NodeIndex{79})), "IPv6 protocol 50 is taken by another node");
  EXPECT_FALSE(registry.add_protocol(IpFamily::Ip4, 17, NodeIndex{79}).ok());
  EXPECT_FALSE(registry.add_udp_port(IpFamily::Ip4, 0, NodeIndex{79}).ok());
  EXPECT_TRUE(registry.remove_udp_port(IpFamily::Ip4, 4789).ok());
  EXPECT_FALSE(registry.remove_udp_port(IpFamily::Ip4, 4789).ok());
  EXPECT_TRUE(registry.remove_protocol(IpFamily::Ip4, 50).ok());
  EXPECT_FALSE(registry.remove_protocol(IpFamily::Ip4, 50).ok());
}

}  // namespace
}  // namespace sluice
