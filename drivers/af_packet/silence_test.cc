// SPDX-License-Identifier: Apache-2.0
// Against a tap in a namespace of the test's own.
#include "silence.h"

#include <gtest/gtest.h>
#include <sluice/registry.h>
#include <sluice/testing/temp_folder.h>
#include <sluice/testing/test_namespace.h>
#include <sluice/tun.h>
#include <unistd.h>

#include <fstream>
#include <optional>

namespace sluice::af_packet {
namespace {

using testing::TestNamespace;

class SilenceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::can_make_namespaces()) GTEST_SKIP() << "needs root and /dev/net/tun";
    ns.emplace();
    make_near();
    for (const auto& [name, value] : {std::pair{"arp_ignore", "2"}, {"forwarding", "1"}, {"rp_filter", "0"}})
      set(name, value);
  }
  void make_near() {
    auto made = driver.open({.host_name = "near", .namespace_path = ns->path()});
    ASSERT_TRUE(made.ok()) << text(made.status());
    near.push_back(std::move(*made));
  }
  host::Link link() const { return *host::Netlink::open(ns->path())->link("near"); }
  std::shared_ptr<Silence> hold() { return silences.hold(ns->path(), link()); }
  std::string get(std::string_view name) const {
    const auto value = host::read_sysctl(ns->path(), fmt::format("ipv4/conf/near/{}", name));
    return value.ok() ? *value : text(value.status());
  }
  void set(std::string_view name, const std::string& value) const {
    ASSERT_TRUE(host::write_sysctl(ns->path(), fmt::format("ipv4/conf/near/{}", name), value).ok());
  }
  /// Leaves settings and note as a process does that is killed.
  void crash() {
    auto silence = hold();
    const std::filesystem::path note = std::filesystem::directory_iterator(folder)->path();
    std::filesystem::copy_file(note, folder / "kept");
    silence.reset();
    for (const auto& [name, value] : {std::pair{"arp_ignore", "8"}, {"forwarding", "0"}, {"rp_filter", "1"}})
      set(name, value);
    std::filesystem::rename(folder / "kept", note);
  }

  const testing::TempFolder temporary;
  const std::filesystem::path& folder = temporary.path();
  Silences silences{folder};
  Registry registry;
  TunDriver driver{registry, "tap", LinkLayer::Ethernet};
  std::optional<TestNamespace> ns;
  std::vector<std::unique_ptr<TunDevice>> near;
};

TEST_F(SilenceTest, GivesBackWhatWasAndLeavesNoNote) {
  auto silence = hold();
  EXPECT_EQ(get("arp_ignore") + get("forwarding") + get("rp_filter"), "801");
  silence.reset();
  EXPECT_EQ(get("arp_ignore") + get("forwarding") + get("rp_filter"), "210");
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

TEST_F(SilenceTest, GivesBackWithTheLastWhoHoldsIt) {
  auto first = hold(), second = hold();
  first.reset();
  EXPECT_EQ(get("arp_ignore"), "8");
  auto third = hold();
  second.reset();
  EXPECT_EQ(get("arp_ignore"), "8");
  third.reset();
  EXPECT_EQ(get("arp_ignore"), "2");
}

TEST_F(SilenceTest, GivesBackWhatWasBeforeACrash) {
  crash();
  auto silence = hold();
  silence.reset();
  EXPECT_EQ(get("arp_ignore") + get("forwarding") + get("rp_filter"), "210");
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

TEST_F(SilenceTest, KeepsWhatTheOperatorHasSetInTheMeantime) {
  crash();
  set("arp_ignore", "1");
  auto silence = hold();
  EXPECT_EQ(get("arp_ignore"), "8");
  set("forwarding", "1");
  set("rp_filter", "2");
  silence.reset();
  EXPECT_EQ(get("arp_ignore") + get("forwarding") + get("rp_filter"), "112");
}

TEST_F(SilenceTest, EndsWhatACrashHasLeft) {
  crash();
  silences.end(ns->path(), link());
  EXPECT_EQ(get("arp_ignore") + get("forwarding") + get("rp_filter"), "210");
  set("arp_ignore", "8");
  silences.end(ns->path(), link());
  EXPECT_EQ(get("arp_ignore"), "8") << "there is no note any more";
}

TEST_F(SilenceTest, DoesNotBelieveANoteAboutAnotherInterfaceOrGarbage) {
  auto silence = hold();
  const std::filesystem::path note = std::filesystem::directory_iterator(folder)->path();
  silence.reset();
  for (const char* words : {"mac 02:00:00:00:00:99\nipv4 arp_ignore 4\n", "", "mac", "ipv4 arp_ignore 4\n"}) {
    set("arp_ignore", "8");
    std::ofstream(note) << words;
    silence = hold();
    silence.reset();
    EXPECT_EQ(get("arp_ignore"), "8") << words;
  }
}

TEST_F(SilenceTest, LeavesAStrangersInterfaceAloneThatHasNameAndPathNow) {
  auto silence = hold();
  ns->replace();
  make_near();
  set("arp_ignore", "8");
  silence.reset();
  EXPECT_EQ(get("arp_ignore"), "8");
}

}  // namespace
}  // namespace sluice::af_packet
