// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sluice/testing/node_test.h>

#include "ip4_pod_source_guard.h"
#include "ip6_pod_source_guard.h"
#include "spec.h"

namespace sluice::pod {
namespace {

using testing::Bytes;
using testing::NodeTest;
using testing::verdict;
using Addresses = std::vector<std::string>;

PodSpec spec(const Addresses& addresses) {
  PodSpec s{.name = "web", .namespace_path = "/run/netns/web"};
  EXPECT_TRUE(set_addresses(s, addresses).ok());
  return s;
}

TEST(PodSpec, TakesOneAddressOfEachFamily) {
  const PodSpec both = spec({"10.0.0.1", "2001:db8::1"});
  EXPECT_EQ(both.ip4->to_string(), "10.0.0.1");
  EXPECT_EQ(both.ip6->to_string(), "2001:db8::1");
  ASSERT_EQ(both.prefixes().size(), 2u);
  EXPECT_EQ(both.prefixes()[0].to_string(), "10.0.0.1/32");
  EXPECT_EQ(both.prefixes()[1].to_string(), "2001:db8::1/128");
  EXPECT_FALSE(spec({"2001:db8::1"}).ip4.has_value());
  EXPECT_EQ(both.interface_name(), "pod/web");
}

TEST(PodSpec, RefusesAddressesThatNoPodCanHave) {
  for (const char* address : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "169.254.1.1", "240.0.0.1",
                              "::", "::1", "ff02::1", "fe80::1", "::ffff:10.0.0.1", "10.0.0.256", "10.0.0.1/32", ""}) {
    PodSpec s{.name = "web"};
    const Status status = set_addresses(s, Addresses{address});
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << address;
    EXPECT_NE(text(status).find(address), std::string::npos);
  }
}

TEST(PodSpec, RefusesNoAddressAndTwoOfOneFamily) {
  PodSpec s{.name = "web"};
  EXPECT_TRUE(absl::IsInvalidArgument(set_addresses(s, Addresses{})));
  EXPECT_TRUE(absl::IsInvalidArgument(set_addresses(s, Addresses{"10.0.0.1", "10.0.0.2"})));
}

TEST(PodSpec, RefusesAnMtuThatIsTooSmallForIpv6) {
  PodSpec s{.name = "web", .mtu = 1279};
  EXPECT_TRUE(absl::IsInvalidArgument(set_addresses(s, Addresses{"2001:db8::1"})));
  PodSpec v4{.name = "web", .mtu = 576};
  EXPECT_TRUE(set_addresses(v4, Addresses{"10.0.0.1"}).ok());
}

TEST(PodSpec, NamesEveryDifference) {
  const PodSpec present = spec({"10.0.0.1"});
  EXPECT_EQ(differences(present, present), "");
  PodSpec wanted = spec({"10.0.0.2", "2001:db8::1"});
  wanted.mtu = 1400;
  wanted.table = 7;
  wanted.host_name = "net1";
  wanted.namespace_path = "/run/netns/other";
  EXPECT_EQ(differences(present, wanted),
            "netns /run/netns/other instead of /run/netns/web, address 10.0.0.2 instead of 10.0.0.1, address "
            "2001:db8::1 instead of none, interface net1 instead of eth0, table 7 instead of 0, mtu 1400 instead of "
            "1500");
}

/// A pod on every interface of the test, all with the same addresses.
template <class K>
struct Guard {
  Guard() : node(sources) {
    sources.update([&](SourceTable& table) {
      for (std::size_t i = 0; i < 8; ++i) {
        const InterfaceIndex interface = node.interface_of(i);
        if (table.by_slot.size() <= interface.slot()) table.by_slot.resize(interface.slot() + 1);
        table.by_slot[interface.slot()] = {.interface = interface,
                                           .has_ip4 = true,
                                           .has_ip6 = true,
                                           .ip4 = *Ip4Address::parse("10.0.0.1"),
                                           .ip6 = *Ip6Address::parse("2001:db8::1")};
      }
    });
  }
  Rcu rcu;
  Published<SourceTable> sources{rcu};
  NodeTest<K> node;
};

Bytes ip4(const char* source) {
  Bytes bytes(28);
  bytes[0] = 0x45;
  const auto address = *Ip4Address::parse(source);
  std::copy(address.bytes.begin(), address.bytes.end(), bytes.begin() + 12);
  return bytes;
}

Bytes ip6(const char* source, const char* destination) {
  Bytes bytes(48);
  bytes[0] = 0x60;
  const auto from = *Ip6Address::parse(source), to = *Ip6Address::parse(destination);
  std::copy(from.bytes.begin(), from.bytes.end(), bytes.begin() + 8);
  std::copy(to.bytes.begin(), to.bytes.end(), bytes.begin() + 24);
  return bytes;
}

TEST(Ip4PodSourceGuard, LetsOnlyThePodsOwnAddressIn) {
  Guard<Ip4PodSourceGuard> guard;
  using K = Ip4PodSourceGuard;
  const auto out = guard.node.run({ip4("10.0.0.1"), ip4("10.0.0.2"), ip4("0.0.0.0"), Bytes(19)});
  EXPECT_EQ(out[0], verdict(K::Next::Continue));
  EXPECT_EQ(out[1], verdict(K::Drop::SpoofedSource));
  EXPECT_EQ(out[2], verdict(K::Drop::SpoofedSource));
  EXPECT_EQ(out[3], verdict(K::Drop::Truncated));
}

TEST(Ip4PodSourceGuard, LetsNothingInWhenThePodIsGone) {
  Guard<Ip4PodSourceGuard> guard;
  guard.sources.update([](SourceTable& table) { table.by_slot.clear(); });
  EXPECT_EQ(guard.node.run({ip4("10.0.0.1")})[0], verdict(Ip4PodSourceGuard::Drop::SpoofedSource));
}

TEST(Ip4PodSourceGuard, LetsNothingInFromAPodWithoutAnIpv4Address) {
  Guard<Ip4PodSourceGuard> guard;
  guard.sources.update([](SourceTable& table) {
    for (auto& sources : table.by_slot) sources.has_ip4 = false;
  });
  EXPECT_EQ(guard.node.run({ip4("0.0.0.0")})[0], verdict(Ip4PodSourceGuard::Drop::SpoofedSource));
}

TEST(Ip6PodSourceGuard, LetsOnlyThePodsOwnAddressIn) {
  Guard<Ip6PodSourceGuard> guard;
  using K = Ip6PodSourceGuard;
  const auto out = guard.node.run({ip6("2001:db8::1", "2001:db8::9"), ip6("2001:db8::2", "2001:db8::9"), Bytes(39)});
  EXPECT_EQ(out[0], verdict(K::Next::Continue));
  EXPECT_EQ(out[1], verdict(K::Drop::SpoofedSource));
  EXPECT_EQ(out[2], verdict(K::Drop::Truncated));
}

TEST(Ip6PodSourceGuard, LetsLinkLocalSourcesNoFurtherThanTheLink) {
  Guard<Ip6PodSourceGuard> guard;
  using K = Ip6PodSourceGuard;
  const auto out = guard.node.run({ip6("fe80::5", "fe80::1"), ip6("fe80::5", "ff02::16"), ip6("::", "ff02::1:ff00:1"),
                                   ip6("fe80::5", "2001:db8::9"), ip6("::", "2001:db8::9"), ip6("fe80::5", "ff05::1")});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(out[i], verdict(K::Next::Continue)) << i;
  for (int i = 3; i < 6; ++i) EXPECT_EQ(out[i], verdict(K::Drop::SpoofedSource)) << i;
}

}  // namespace
}  // namespace sluice::pod
