// SPDX-License-Identifier: Apache-2.0
// Against a folder that looks like /sys: what is written where. The kernel's answers to it are the test's.
#include "binding.h"

#include <gtest/gtest.h>
#include <sluice/testing/temp_folder.h>
#include <sluice/testing/test_namespace.h>

#include <cstdlib>
#include <fstream>

namespace sluice::dpdk {
namespace {

namespace fs = std::filesystem;
constexpr const char* kCard = "0000:01:00.0";

class BindingTest : public ::testing::Test {
 protected:
  BindingTest() {
    fs::create_directories(device() / "iommu_group");
    for (const char* name : {"e1000e", "vfio-pci"}) {
      fs::create_directories(driver(name));
      for (const char* file : {"bind", "unbind"}) std::ofstream made(driver(name) / file);
    }
    std::ofstream made(device() / "driver_override");
    fs::create_directories(run());
    set_driver("e1000e");
  }
  fs::path device() const { return root() / "bus/pci/devices" / kCard; }
  fs::path driver(const std::string& name) const { return root() / "bus/pci/drivers" / name; }
  fs::path root() const { return fs::path(folder.path()) / "sys"; }
  fs::path run() const { return fs::path(folder.path()) / "run"; }
  fs::path note() const { return run() / fmt::format("dpdk-{}", kCard); }
  /// What the kernel does when it binds the card.
  void set_driver(const std::string& name) {
    fs::remove(device() / "driver");
    if (!name.empty()) fs::create_directory_symlink(driver(name), device() / "driver");
  }
  static std::string content(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  StatusOr<std::unique_ptr<Binding>> bind() { return Binding::bind(root(), run(), kCard); }

  testing::TempFolder folder;
};

TEST_F(BindingTest, TakesACardFromItsDriverAndGivesItBack) {
  auto binding = bind();
  ASSERT_TRUE(binding.ok()) << text(binding.status());
  EXPECT_EQ((*binding)->original(), "e1000e");
  EXPECT_EQ(content(device() / "driver_override"), "vfio-pci");
  EXPECT_EQ(content(driver("e1000e") / "unbind"), kCard);
  EXPECT_EQ(content(driver("vfio-pci") / "bind"), kCard);
  EXPECT_EQ(content(note()), "e1000e\n");
  set_driver("vfio-pci");
  binding->reset();
  EXPECT_TRUE(content(device() / "driver_override").starts_with("\n"));
  EXPECT_EQ(content(driver("vfio-pci") / "unbind"), kCard);
  EXPECT_EQ(content(driver("e1000e") / "bind"), kCard);
  EXPECT_FALSE(fs::exists(note()));
}

TEST_F(BindingTest, GivesBackWhatACrashHasLeft) {
  std::ofstream(note()) << "e1000e\n";
  set_driver("vfio-pci");
  auto binding = bind();
  ASSERT_TRUE(binding.ok()) << text(binding.status());
  EXPECT_EQ((*binding)->original(), "e1000e");
  EXPECT_EQ(content(driver("vfio-pci") / "bind"), "") << "it is bound already";
  binding->reset();
  EXPECT_EQ(content(driver("e1000e") / "bind"), kCard);
  EXPECT_FALSE(fs::exists(note()));
}

TEST_F(BindingTest, LeavesACardThatTheOperatorBound) {
  set_driver("vfio-pci");
  auto binding = bind();
  ASSERT_TRUE(binding.ok()) << text(binding.status());
  binding->reset();
  EXPECT_EQ(content(device() / "driver_override"), "");
  EXPECT_EQ(content(driver("vfio-pci") / "unbind"), "");
}

TEST_F(BindingTest, ACardThatIsKeptIsNotGivenBackButNoted) {
  auto binding = bind();
  ASSERT_TRUE(binding.ok()) << text(binding.status());
  set_driver("vfio-pci");
  (*binding)->keep();
  binding->reset();
  EXPECT_EQ(content(driver("vfio-pci") / "unbind"), "");
  EXPECT_EQ(content(driver("e1000e") / "bind"), "");
  EXPECT_EQ(content(note()), "e1000e\n");
}

TEST_F(BindingTest, ACardWithoutDriverIsLeftWithoutOne) {
  set_driver("");
  auto binding = bind();
  ASSERT_TRUE(binding.ok()) << text(binding.status());
  set_driver("vfio-pci");
  binding->reset();
  EXPECT_EQ(content(driver("vfio-pci") / "unbind"), kCard);
  EXPECT_EQ(content(driver("e1000e") / "bind"), "");
}

TEST_F(BindingTest, WhenTheKernelRefusesTheCardIsGivenBack) {
  fs::remove(driver("vfio-pci") / "bind");
  const auto binding = bind();
  EXPECT_TRUE(absl::IsUnavailable(binding.status()));
  EXPECT_NE(text(binding.status()).find("given back to e1000e"), std::string::npos) << text(binding.status());
  EXPECT_EQ(content(driver("e1000e") / "bind"), kCard);
  EXPECT_FALSE(fs::exists(note()));
}

TEST_F(BindingTest, RefusesWithoutCardDriverOrIommu) {
  EXPECT_TRUE(absl::IsNotFound(Binding::bind(root(), run(), "0000:02:00.0").status()));
  fs::remove(device() / "iommu_group");
  EXPECT_NE(text(bind().status()).find("IOMMU"), std::string::npos);
  fs::remove_all(driver("vfio-pci"));
  EXPECT_NE(text(bind().status()).find("modprobe vfio-pci"), std::string::npos);
  EXPECT_EQ(content(device() / "driver_override"), "") << "a refusal changes nothing";
}

TEST_F(BindingTest, RefusesACardThatTheHostUses) {
  fs::create_directories(device() / "net/lo");  // the one interface with an address that every machine has
  EXPECT_NE(text(bind().status()).find("lo, which has an address"), std::string::npos) << text(bind().status());
  EXPECT_EQ(content(device() / "driver_override"), "");
}

TEST_F(BindingTest, AnIp6AddressIsUseButALinkLocalOneIsNot) {
  if (!testing::can_make_namespaces()) GTEST_SKIP() << "needs root and /dev/net/tun";
  fs::create_directories(device() / "net/lo");
  const testing::TestNamespace ns;
  ns.inside([&] {
    ASSERT_EQ(std::system("ip link set lo up && ip address flush dev lo && ip address add fe80::7/64 dev lo"), 0);
    EXPECT_TRUE(bind().ok()) << text(bind().status());
    ASSERT_EQ(std::system("ip address add fd00::7/64 dev lo"), 0);
    EXPECT_NE(text(bind().status()).find("lo, which has an address"), std::string::npos);
  });
}

TEST_F(BindingTest, RefusesACardThatSomethingIsBuiltOn) {
  const fs::path interface = device() / "net/none_such";
  fs::create_directories(interface / "queues");
  fs::create_directory_symlink("../../../virtual/net/br0", interface / "master");
  EXPECT_NE(text(bind().status()).find("none_such, which is part of br0"), std::string::npos) << text(bind().status());
  fs::remove(interface / "master");
  fs::create_directory_symlink("../../../virtual/net/v.7", interface / "upper_v.7");
  EXPECT_NE(text(bind().status()).find("none_such, which is part of v.7"), std::string::npos) << text(bind().status());
  EXPECT_EQ(content(device() / "driver_override"), "") << "a refusal changes nothing";
  fs::remove(interface / "upper_v.7");
  EXPECT_TRUE(bind().ok());
}

}  // namespace
}  // namespace sluice::dpdk
