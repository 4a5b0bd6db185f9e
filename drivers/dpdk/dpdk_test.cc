// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "eal.h"

namespace sluice::dpdk {
namespace {

TEST(DpdkOptions, NameTheDeviceByWhatStandsBeforeItsArguments) {
  EXPECT_EQ(Options{.vdev = "net_tap0,iface=tap7,mac=fixed"}.device_name(), "net_tap0");
  EXPECT_EQ(Options{.pci = "0000:01:00.0"}.device_name(), "0000:01:00.0");
  EXPECT_EQ(Options{.pci = "0000:01:00.0,argument=1"}.devargs(), "0000:01:00.0,argument=1");
}

TEST(DpdkOptions, AreOfOneDevice) {
  EXPECT_TRUE(check({.vdev = "net_null0"}).ok());
  EXPECT_TRUE(check({.pci = "0000:01:00.0"}).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(check({})));
  EXPECT_TRUE(absl::IsInvalidArgument(check({.vdev = "net_null0", .pci = "0000:01:00.0"})));
}

class DpdkNames : public ::testing::TestWithParam<Options> {};

TEST_P(DpdkNames, ThatAreNoneAreRefused) {
  const Status status = check(GetParam());
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(text(status).find(GetParam().device_name()), std::string::npos) << text(status);
}

INSTANTIATE_TEST_SUITE_P(Wrong, DpdkNames,
                         ::testing::Values(Options{.pci = "01:00.0"}, Options{.pci = "0000:01:00.8"},
                                           Options{.pci = "0000-01:00.0"}, Options{.pci = "0000:0g:00.0"},
                                           Options{.pci = "../../../../etc"}, Options{.pci = ",a=1"},
                                           Options{.vdev = "null0"}, Options{.vdev = "net_"},
                                           Options{.vdev = "net_tap 0"}, Options{.vdev = "net_tap0/../x"},
                                           Options{.vdev = "crypto_null0"}, Options{.vdev = ",iface=x"},
                                           Options{.vdev = std::string("net_") + std::string(80, 'a')}));

TEST(DpdkOptions, SayInWhatTheyDiffer) {
  const Options present{.vdev = "net_null0"};
  EXPECT_EQ(differences(present, present), "");
  const Options wanted{
      .pci = "0000:01:00.0", .bind = true, .queues = 2, .ring = 256, .mtu = 9000, .promiscuous = false};
  EXPECT_EQ(
      differences(present, wanted),
      "vdev none instead of net_null0, pci 0000:01:00.0 instead of none, bind yes instead of no, queues 2 instead "
      "of 0, ring 256 instead of 0, mtu 9000 instead of 0, promiscuous no instead of yes");
}

}  // namespace
}  // namespace sluice::dpdk
