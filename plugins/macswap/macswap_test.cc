// SPDX-License-Identifier: Apache-2.0
#include "macswap.h"
#include "sluice/testing/node_test.h"
#include "sluice/testing/packet_builder.h"

namespace sluice::macswap {
using namespace testing;

TEST(Macswap, ReturnsThePacketWithItsAddressesExchanged) {
  NodeTest<Macswap> node;
  const auto expected = packet().ethernet("02::2", "02::1").payload("x");
  EXPECT_EQ(node.run({packet().ethernet("02::1", "02::2").payload("x")})[0],
            verdict(Macswap::Next::InterfaceOutput).with(expected).on(node.interface_of(0)));
}

TEST(Macswap, DropsWhatIsShorterThanAnEthernetHeader) {
  NodeTest<Macswap> node;
  EXPECT_EQ(node.run({packet().payload("short")})[0], verdict(Macswap::Drop::Truncated));
}

}  // namespace sluice::macswap
