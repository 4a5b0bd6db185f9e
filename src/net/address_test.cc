// SPDX-License-Identifier: Apache-2.0
#include "sluice/net/address.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Address, ReadsAndWritesWhatItIsGiven) {
  EXPECT_EQ(MacAddress::parse("02:00:00:00:00:0a")->to_string(), "02:00:00:00:00:0a");
  EXPECT_EQ(MacAddress::parse("02::1")->to_string(), "02:00:00:00:00:01");
  EXPECT_EQ(Ip4Address::parse("10.1.0.5")->host(), 0x0a010005u);
  EXPECT_EQ(Ip6Address::parse("2001:DB8:0:0::1")->to_string(), "2001:db8::1");
  EXPECT_TRUE(IpAddress::parse("fe80::1")->is_ip6());
  EXPECT_EQ(IpPrefix::parse("10.0.0.0/8")->to_string(), "10.0.0.0/8");
  EXPECT_EQ(Prefix6::parse("2001:db8::/32")->to_string(), "2001:db8::/32");
  EXPECT_EQ(IpPrefix::parse("0.0.0.0/0")->length, 0);
}

TEST(Address, RefusesEverythingElseWithASentence) {
  for (const char* bad :
       {"", ":", "::", "02", "02:00:00:00:00", "02:00:00:00:00:00:00", "02::1::2", "g::1", "002::1", "02:::1"}) {
    if (std::string_view(bad) == "::") continue;  // all zero
    EXPECT_FALSE(MacAddress::parse(bad).ok()) << bad;
  }
  for (const char* bad : {"", "10", "10.0.0", "10.0.0.0.0", "256.0.0.1", "10.0.0.1/8", " 10.0.0.1", "01.2.3.4"}) {
    EXPECT_FALSE(Ip4Address::parse(bad).ok()) << bad;
  }
  for (const char* bad : {"", ":", "1:2:3:4:5:6:7:8:9", "g::", "::1%eth0", "10.0.0.1"})
    EXPECT_FALSE(Ip6Address::parse(bad).ok()) << bad;
  EXPECT_EQ(text(IpPrefix::parse("10.0.0.1/8").status()),
            "'10.0.0.1/8': bits behind the prefix length are set; 10.0.0.0/8 is the prefix");
  EXPECT_EQ(text(IpPrefix::parse("10.0.0.0/33").status()),
            "'10.0.0.0/33': the prefix length is 0 to 32, as in 10.0.0.0/32");
  EXPECT_FALSE(IpPrefix::parse("10.0.0.0/").ok());
  EXPECT_FALSE(IpPrefix::parse("10.0.0.0/-1").ok());
  EXPECT_FALSE(Prefix4::parse("2001:db8::/32").ok());
  EXPECT_FALSE(Ip4Address::parse(std::string_view("10.0.0.1\0", 9)).ok());
}

TEST(Address, KnowsScopes) {
  EXPECT_TRUE(Ip4Address::parse("169.254.1.1")->is_link_local());
  EXPECT_TRUE(Ip4Address::parse("240.0.0.1")->is_reserved());
  EXPECT_FALSE(Ip4Address::parse("255.255.255.255")->is_reserved());
  EXPECT_TRUE(Ip6Address::parse("febf::1")->is_link_local());
  EXPECT_FALSE(Ip6Address::parse("fec0::1")->is_link_local());
  EXPECT_EQ(Ip6Address::parse("2001:db8::aa:bbcc")->solicited_node().to_string(), "ff02::1:ffaa:bbcc");
  EXPECT_TRUE(Ip6Address::parse("::ffff:10.0.0.1")->is_ip4_mapped());
}

TEST(Prefix, ContainsWhatSharesItsBits) {
  const auto p = *Prefix4::parse("10.1.128.0/17");
  EXPECT_TRUE(p.contains(*Ip4Address::parse("10.1.255.255")));
  EXPECT_FALSE(p.contains(*Ip4Address::parse("10.1.127.255")));
  EXPECT_TRUE(Prefix6{}.contains(*Ip6Address::parse("ff02::1")));
  EXPECT_EQ(Prefix6::of(*Ip6Address::parse("2001:db8::ffff"), 127).to_string(), "2001:db8::fffe/127");
}

}  // namespace
}  // namespace sluice
