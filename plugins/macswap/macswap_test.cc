// SPDX-License-Identifier: Apache-2.0
#include "macswap.h"

#include "sluice/testing/node_test.h"

namespace sluice::macswap {

using namespace testing;

TEST(Macswap, ReturnsThePacketWithItsAddressesExchanged) {
  NodeTest<Macswap> node;
  const Bytes in = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 'x'};
  const Bytes out = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 'x'};
  EXPECT_EQ(node.run({in})[0], verdict(Macswap::Next::InterfaceOutput).with(out).on(node.interface_of(0)));
}

TEST(Macswap, DropsWhatIsShorterThanAnEthernetHeader) {
  NodeTest<Macswap> node;
  EXPECT_EQ(node.run({Bytes{1, 2, 3}})[0], verdict(Macswap::Drop::Truncated));
}

}  // namespace sluice::macswap
