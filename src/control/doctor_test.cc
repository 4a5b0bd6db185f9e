// SPDX-License-Identifier: Apache-2.0
#include "control/doctor.h"

#include <gtest/gtest.h>

#include <fstream>

#include "sluice/testing/temp_folder.h"

namespace sluice::doctor {
namespace {

class DoctorTest : public ::testing::Test {
 protected:
  DoctorTest() {
    // A host on which nothing is wrong.
    write("proc/meminfo",
          "MemTotal: 1 kB\nHugePages_Total:      64\nHugePages_Free:       12\nHugepagesize: 2048 kB\n");
    write("proc/self/status", "Name:\tsluiced\nCapEff:\t0000008000287000\n");
    write("proc/self/limits",
          "Limit Soft Hard Units\nMax open files            1024  524288 files\n"
          "Max locked memory         unlimited  unlimited bytes\n");
    write("proc/self/fd/0", "");
    write("proc/17/comm", "sluiced\n");
    write("sys/devices/system/cpu/isolated", "2-3\n");
    write("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "performance\n");
    write("proc/sys/net/ipv4/conf/all/rp_filter", "0\n");
    write("dev/net/tun", "");
    needs_.buffer_bytes = 84'000'000;
    needs_.page_kind = "2 MiB hugepages";
    needs_.on_hugepages = true;
    needs_.cpus = {2, 3};
    uplinks_ = {{.name = "eth1", .host_name = "eth1", .namespace_path = ""}};
  }

  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  Finding of(const std::string& check) {
    for (const Finding& f : examine(HostFacts(root_), needs_, uplinks_)) {
      if (f.check() == check) return f;
    }
    ADD_FAILURE() << "no check " << check;
    return {};
  }
  /// It is not ok, and says all that an operator needs.
  void expect(const std::string& check, const std::string& state, const std::string& mend) {
    const Finding f = of(check);
    EXPECT_EQ(f.state(), state) << f.ShortDebugString();
    EXPECT_NE(f.mend().find(mend), std::string::npos) << f.ShortDebugString();
    EXPECT_FALSE(f.found().empty() || f.wanted().empty() || f.consequence().empty()) << f.ShortDebugString();
  }

  const testing::TempFolder folder_;
  const std::filesystem::path& root_ = folder_.path();
  Needs needs_;
  std::vector<Uplink> uplinks_;
};

TEST_F(DoctorTest, FindsNothingWrongWhereNothingIs) {
  for (const Finding& f : examine(HostFacts(root_), needs_, uplinks_))
    EXPECT_EQ(f.state(), "ok") << f.ShortDebugString();
}

TEST_F(DoctorTest, CountsTheHugepagesThatAreWanted) {
  needs_.on_hugepages = false;
  needs_.page_kind = "ordinary pages (too few hugepages)";
  expect("hugepages", "advice", "vm.nr_hugepages=93");  // others have 52
}

TEST_F(DoctorTest, AdvisesPinningAndIsolation) {
  write("sys/devices/system/cpu/isolated", "3\n");
  expect("isolated cores", "advice", "isolcpus=2,3");
  needs_.cpus.clear();
  expect("pinned workers", "advice", "cpus:");
  EXPECT_EQ(of("isolated cores").state(), "ok");
}

TEST_F(DoctorTest, AdvisesTheGovernor) {
  write("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "powersave\n");
  expect("frequency governor", "advice", "cpupower");
}

TEST_F(DoctorTest, FailsBeforeFilesRunOut) {
  for (int i = 0; i < 30; ++i) write("proc/self/fd/" + std::to_string(i), "");
  write("proc/self/limits", "Max open files            32  64 files\n");
  expect("open files", "FAIL", "LimitNOFILE");
}

TEST_F(DoctorTest, AdvisesALargerLockedMemory) {
  write("proc/self/limits", "Max locked memory         65536  65536 bytes\n");
  expect("locked memory", "advice", "LimitMEMLOCK");
}

TEST_F(DoctorTest, FailsWithoutCapabilitiesUnlessNoneAreNeeded) {
  write("proc/self/status", "CapEff:\t0000000000001000\n");
  expect("capabilities", "FAIL", "AmbientCapabilities");
  EXPECT_NE(of("capabilities").found().find("CAP_SYS_ADMIN"), std::string::npos);
  needs_.unprivileged = true;
  EXPECT_EQ(of("capabilities").state(), "ok");
}

TEST_F(DoctorTest, FailsWithoutTheTunDevice) {
  std::filesystem::remove(root_ / "dev/net/tun");
  expect("tun device", "FAIL", "modprobe tun");
}

TEST_F(DoctorTest, AdvisesALooserReversePathFilter) {
  write("proc/sys/net/ipv4/conf/all/rp_filter", "1\n");
  expect("reverse path filter", "advice", "rp_filter=2");
}

TEST_F(DoctorTest, FailsWithLargeReceiveOffload) {
  uplinks_[0].lro = true;
  expect("offloads", "FAIL", "ethtool -K eth1 lro off");
  uplinks_[0].lro = false;
  uplinks_[0].gro = false;
  expect("offloads", "advice", "gro on");
}

TEST_F(DoctorTest, NamesOtherManagersOfTheUplink) {
  write("proc/42/comm", "NetworkManager\n");
  expect("other managers", "advice", "nmcli device set eth1 managed no");
  uplinks_.clear();
  EXPECT_EQ(of("other managers").state(), "ok");
}

TEST_F(DoctorTest, SurvivesAHostThatSaysNothing) {
  for (const auto& entry : std::filesystem::directory_iterator(root_)) std::filesystem::remove_all(entry);
  EXPECT_EQ(examine(HostFacts(root_), needs_, uplinks_).size(), 11u);
}

TEST(HostFacts, ReadsListsOfCores) {
  EXPECT_EQ(HostFacts::cpu_list("2-4,7"), (std::vector<int>{2, 3, 4, 7}));
  EXPECT_TRUE(HostFacts::cpu_list("").empty());
  EXPECT_TRUE(HostFacts::cpu_list("x-y,,-").empty());
}

}  // namespace
}  // namespace sluice::doctor
