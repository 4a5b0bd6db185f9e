// SPDX-License-Identifier: Apache-2.0
// The commands, as they are typed.
#include <gtest/gtest.h>
#include <sluice/testing/test_node.h>

#include "service.h"

namespace sluice::af_xdp {
namespace {

class ServiceTest : public ::testing::Test {
 protected:
  std::vector<std::string> denied() {
    EXPECT_EQ(node.error("show device af-xdp deny"), "");
    std::vector<std::string> prefixes;
    for (std::size_t i = 0; i < node.replies.size(); ++i) {
      prefixes.push_back(node.reply<DeniedState>(i).prefix());
      EXPECT_EQ(node.reply<DeniedState>(i).packets(), 0u);
    }
    return prefixes;
  }
  bool unchanged() { return node.reply<Done>().unchanged(); }

  testing::TestNode node{
      [](Registry& registry) { registry.own<Service>(*registry.context).offer(registry.context->api()); }};
};

TEST_F(ServiceTest, DeniesAndAllowsPrefixesOfBothFamilies) {
  EXPECT_TRUE(denied().empty());
  EXPECT_EQ(node.error("set device af-xdp deny 2001:db8::/32"), "");
  EXPECT_FALSE(unchanged());
  EXPECT_EQ(node.error("set device af-xdp deny 198.51.100.0/24"), "");
  EXPECT_EQ(node.error("set device af-xdp deny 198.51.100.0/24"), "");
  EXPECT_TRUE(unchanged());
  EXPECT_EQ(denied(), (std::vector<std::string>{"198.51.100.0/24", "2001:db8::/32"}));
  EXPECT_EQ(node.error("delete device af-xdp deny 198.51.100.0/24"), "");
  EXPECT_FALSE(unchanged());
  EXPECT_EQ(node.error("delete device af-xdp deny 198.51.100.0/24"), "");
  EXPECT_TRUE(unchanged());
  EXPECT_EQ(denied(), std::vector<std::string>{"2001:db8::/32"});
}

TEST_F(ServiceTest, RefusesWhatIsNoPrefix) {
  for (const char* each : {"198.51.100.0", "198.51.100.1/24", "198.51.100.0/33", "2001:db8::/129", "x"})
    EXPECT_NE(node.error(std::string("set device af-xdp deny ") + each), "") << each;
  EXPECT_TRUE(denied().empty());
}

TEST_F(ServiceTest, RefusesWhatNoInterfaceCanBe) {
  const std::string ring = node.error("create interface af-xdp x ring 1000");
  EXPECT_NE(ring.find("ring 1000: it must be a power of two, as 512 or 1024"), std::string::npos) << ring;
  EXPECT_NE(node.error("create interface af-xdp x ring 32"), "");
  EXPECT_NE(node.error("create interface af-xdp x mode fast"), "");
  const std::string unprivileged = node.error("create interface af-xdp x");
  EXPECT_NE(unprivileged.find("needs a privileged daemon"), std::string::npos) << unprivileged;
}

}  // namespace
}  // namespace sluice::af_xdp
