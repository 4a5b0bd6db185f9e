// SPDX-License-Identifier: Apache-2.0
#include "sluice/host.h"

#include <gtest/gtest.h>
#include <net/if.h>

#include <filesystem>

#include "sluice/registry.h"
#include "sluice/testing/test_namespace.h"
#include "sluice/tun.h"

namespace sluice::host {
namespace {

using testing::TestNamespace;

TEST(Namespace, NamesAPathThatDoesNotExist) {
  const auto id = namespace_id("/run/netns/no-such-namespace");
  EXPECT_TRUE(absl::IsNotFound(id.status()));
  EXPECT_NE(text(id.status()).find("/run/netns/no-such-namespace"), std::string::npos);
}

TEST(Namespace, RefusesAFileThatIsNone) {
  const auto id = namespace_id("/proc/self/ns/mnt");
  EXPECT_TRUE(absl::IsInvalidArgument(id.status())) << text(id.status());
  EXPECT_FALSE(namespace_id("/etc/passwd").ok());
  EXPECT_FALSE(run_in_namespace("/etc/passwd", [] { return Status(); }).ok());
}

TEST(Namespace, RunsAFunctionWhereTheCallerIs) {
  bool ran = false;
  EXPECT_TRUE(run_in_namespace("", [&] {
                ran = true;
                return Status();
              }).ok());
  EXPECT_TRUE(ran);
}

class HostTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::can_make_namespaces()) GTEST_SKIP() << "needs root and /dev/net/tun";
    ns.emplace();
    tun = *driver.open({.host_name = "eth0", .namespace_path = ns->path()});
  }
  Netlink netlink() { return *Netlink::open(ns->path()); }
  Registry registry;
  TunDriver driver{registry, "tun", LinkLayer::Ip};
  std::optional<TestNamespace> ns;
  std::unique_ptr<TunDevice> tun;
};

TEST_F(HostTest, SeesThatANamespaceIsGoneOrAnotherHasItsPath) {
  const auto id = *namespace_id(ns->path());
  EXPECT_TRUE(still_there(ns->path(), id).ok());
  EXPECT_EQ(text(still_there(ns->path(), *namespace_id(""))), "namespace " + ns->path() + ": it is gone");
  EXPECT_EQ(text(still_there("/run/netns/no-such-namespace", id)),
            "namespace /run/netns/no-such-namespace: it is gone");
  EXPECT_TRUE(tun->check().ok());
}

TEST_F(HostTest, TellsNamespacesApart) {
  const auto own = namespace_id(""), other = namespace_id(ns->path());
  ASSERT_TRUE(own.ok() && other.ok());
  EXPECT_FALSE(*own == *other);
  EXPECT_EQ(*other, *namespace_id(ns->path()));
}

TEST_F(HostTest, RunsInsideAndComesBack) {
  const auto before = namespace_id("");
  NamespaceId inside;
  const Status status = run_in_namespace(ns->path(), [&]() -> Status {
    inside = *namespace_id("");
    return refused("the function's own error");
  });
  EXPECT_EQ(text(status), "the function's own error");
  EXPECT_EQ(inside, *namespace_id(ns->path()));
  EXPECT_EQ(*before, *namespace_id(""));
}

TEST_F(HostTest, HearsOfChangesToOneLink) {
  const Netlink nl = netlink();
  const int index = nl.link("eth0")->index;
  auto events = LinkEvents::open(ns->path());
  ASSERT_TRUE(events.ok()) << text(events.status());
  EXPECT_FALSE(events->changed(index));
  ASSERT_TRUE(nl.set_up("eth0", true).ok());
  EXPECT_TRUE(events->changed(index));
  EXPECT_FALSE(events->changed(index));
  ASSERT_TRUE(nl.set_up("lo", true).ok());
  EXPECT_FALSE(events->changed(index)) << "that was another one";
  ASSERT_TRUE(nl.add_address("eth0", "10.0.0.9/32").ok());
  EXPECT_FALSE(events->changed(index));
  ASSERT_TRUE(nl.remove_address("eth0", "10.0.0.9/32").ok());
  EXPECT_TRUE(events->changed(index));
  ASSERT_TRUE(nl.set_up("eth0", false).ok());
  EXPECT_TRUE(events->changed(index));
}

TEST_F(HostTest, ReadsAndChangesALink) {
  const Netlink nl = netlink();
  auto link = nl.link("eth0");
  ASSERT_TRUE(link.ok()) << text(link.status());
  EXPECT_EQ(link->kind, "tun");
  EXPECT_FALSE(link->up);
  EXPECT_TRUE(nl.set_up("eth0", true).ok());
  EXPECT_TRUE(nl.set_mtu("eth0", 1400).ok());
  link = nl.link("eth0");
  EXPECT_TRUE(link->up);
  EXPECT_EQ(link->mtu, 1400u);
  EXPECT_TRUE(nl.set_up("eth0", false).ok());
  EXPECT_FALSE(nl.link("eth0")->up);
  EXPECT_TRUE(nl.rename_link("eth0", "net1").ok());
  EXPECT_TRUE(nl.link("net1").ok());
  EXPECT_TRUE(absl::IsNotFound(nl.link("eth0").status()));
}

TEST_F(HostTest, SetsExactlyTheAddressesThatAreWanted) {
  const Netlink nl = netlink();
  EXPECT_TRUE(nl.add_address("eth0", "10.0.0.9/32").ok());
  EXPECT_TRUE(nl.add_address("eth0", "10.0.0.9/32").ok()) << "twice is no error";
  ASSERT_TRUE(nl.set_addresses("eth0", {"10.0.0.1/32", "2001:db8::1/128"}).ok());
  auto addresses = *nl.addresses("eth0");
  std::sort(addresses.begin(), addresses.end());
  EXPECT_EQ(addresses, (std::vector<std::string>{"10.0.0.1/32", "2001:db8::1/128"}));
  EXPECT_TRUE(nl.remove_address("eth0", "10.0.0.1/32").ok());
  EXPECT_TRUE(nl.remove_address("eth0", "10.0.0.1/32").ok()) << "twice is no error";
  EXPECT_EQ(nl.addresses("eth0")->size(), 1u);
}

TEST_F(HostTest, AddsDefaultRoutesThroughALinkLocalNextHop) {
  const Netlink nl = netlink();
  ASSERT_TRUE(nl.set_addresses("eth0", {"10.0.0.1/32", "2001:db8::1/128"}).ok());
  ASSERT_TRUE(nl.set_up("eth0", true).ok());
  const Route v4{.destination = "default4", .gateway = "169.254.1.1", .onlink = true};
  const Route v6{.destination = "default6", .gateway = "fe80::1"};
  for (const Route& route : {v4, v6}) {
    EXPECT_TRUE(nl.add_route("eth0", route).ok()) << text(nl.add_route("eth0", route));
    EXPECT_TRUE(nl.add_route("eth0", route).ok()) << "twice is no error";
    EXPECT_TRUE(nl.remove_route("eth0", route).ok());
    EXPECT_TRUE(nl.remove_route("eth0", route).ok()) << "twice is no error";
  }
}

TEST_F(HostTest, SaysWhatIsWrongWithAnAddress) {
  const Status status = netlink().add_address("eth0", "10.0.0.300/32");
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(text(status).find("10.0.0.300"), std::string::npos);
  EXPECT_TRUE(absl::IsNotFound(netlink().add_address("eth7", "10.0.0.1/32")));
}

TEST_F(HostTest, DeletesALink) {
  EXPECT_TRUE(netlink().delete_link("eth0").ok());
  EXPECT_TRUE(absl::IsNotFound(netlink().delete_link("eth0")));
  EXPECT_FALSE(tun->carrier());
}

TEST_F(HostTest, WritesASettingOfTheNamespace) {
  EXPECT_TRUE(write_sysctl(ns->path(), "ipv6/conf/eth0/disable_ipv6", "1").ok());
  EXPECT_FALSE(write_sysctl(ns->path(), "ipv6/conf/eth9/disable_ipv6", "1").ok());
  EXPECT_FALSE(write_sysctl("", "ipv6/conf/eth0-of-a-test/disable_ipv6", "1").ok());
}

TEST_F(HostTest, ReportsANamespaceThatIsGone) {
  const std::string path = ns->path();
  ns->remove();
  EXPECT_TRUE(absl::IsNotFound(Netlink::open(path).status()));
}

}  // namespace
}  // namespace sluice::host
