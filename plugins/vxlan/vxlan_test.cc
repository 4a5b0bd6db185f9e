// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tables.h"

namespace sluice::vxlan {
namespace {

TEST(VxlanDemux, FindsThousandsOfTunnelsByVniPortTableAndRemote) {
  DemuxTable<TunnelKey4> table;
  const auto key = [](std::uint32_t remote, std::uint32_t vni, std::uint16_t port, std::uint32_t in) {
    return TunnelKey4::of(Ip4Address(0x0a000000 + remote), Ip4Address(0xc0000201),
                          DecapTable::id(vni, port, TableIndex{in}));
  };
  const auto number = [](std::uint32_t i) { return InterfaceIndex(i % 4096, 1); };
  for (std::uint32_t i = 0; i < 20000; ++i) table.set(key(i % 50, i, kPort, 0), number(i), i);
  EXPECT_EQ(table.size(), 20000u);
  for (std::uint32_t i = 0; i < 20000; ++i) {
    const auto* found = table.find(key(i % 50, i, kPort, 0));
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->value, i);
    EXPECT_EQ(found->interface, number(i));
  }
  EXPECT_EQ(table.find(key(1, 2, kPort, 0)), nullptr) << "another's VNI";
  EXPECT_EQ(table.find(key(1, 1, 8472, 0)), nullptr) << "another port";
  EXPECT_EQ(table.find(key(1, 1, kPort, 1)), nullptr) << "another table";
  for (std::uint32_t i = 0; i < 20000; i += 400) table.erase(key(i % 50, i, kPort, 0));
  EXPECT_EQ(table.size(), 19950u);
  for (std::uint32_t i = 0; i < 20000; ++i) EXPECT_EQ(table.find(key(i % 50, i, kPort, 0)) == nullptr, i % 400 == 0);
}

}  // namespace
}  // namespace sluice::vxlan
