// SPDX-License-Identifier: Apache-2.0
#include "core/pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <fstream>

#include "core/dataplane.h"
#include "sluice/testing/temp_folder.h"

namespace sluice {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// A /sys and /proc of its own.
class HostPagesTest : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) const {
    const auto file = folder.path() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << "\n";
  }
  void hugepages(const std::string& where, std::size_t kib, unsigned total, unsigned free) const {
    const auto at = where + "/hugepages-" + std::to_string(kib) + "kB/";
    write(at + "nr_hugepages", std::to_string(total));
    write(at + "free_hugepages", std::to_string(free));
  }
  void one_node() const {
    write("sys/devices/system/node/online", "0");
    write("sys/devices/system/node/node0/cpulist", "0-3");
    write("proc/meminfo", "MemTotal: 1 kB\nHugepagesize:       2048 kB");
  }
  void two_nodes() const {
    one_node();
    write("sys/devices/system/node/online", "0-1");
    write("sys/devices/system/node/node0/cpulist", "0-3,8");
    write("sys/devices/system/node/node1/cpulist", "4-7,9-11");
  }
  static std::string node(int n) { return "sys/devices/system/node/node" + std::to_string(n) + "/hugepages"; }
  const testing::TempFolder folder;
  const HostPages host{folder.path()};
};

TEST_F(HostPagesTest, KnowsNodesAndTheirCpus) {
  EXPECT_EQ(host.nodes(), std::vector<int>{0}) << "a kernel without NUMA";
  EXPECT_EQ(host.node_of_cpu(3), 0);
  two_nodes();
  EXPECT_EQ(host.nodes(), (std::vector<int>{0, 1}));
  EXPECT_EQ(host.node_of_cpu(8), 0);
  EXPECT_EQ(host.node_of_cpu(10), 1);
  EXPECT_EQ(host.node_of_cpu(77), 0) << "of no node: the first is as good as any";
}

TEST_F(HostPagesTest, SurvivesListsThatAreNone) {
  for (const char* text : {"", "x", "3-", "1,,2", "5-2", "-1", "99999999999999999999", "0-999999999"}) {
    write("sys/devices/system/node/online", text);
    write("sys/devices/system/node/node0/cpulist", text);
    EXPECT_GE(host.nodes().size(), 1u) << text;
    EXPECT_LE(host.nodes().size(), 1024u) << text;
    EXPECT_GE(host.node_of_cpu(1), 0) << text;
  }
}

TEST_F(HostPagesTest, TakesPagesOf2MiBForASmallPoolAndOf1GiBForALargeOne) {
  one_node();
  hugepages(node(0), 2048, 1024, 1024);
  hugepages(node(0), 1048576, 2, 2);
  EXPECT_EQ(plan_pages(host, 0, 82 * kMiB, PageSize::Auto).sizes, (std::vector{kHuge2M, kHuge1G}));
  EXPECT_EQ(plan_pages(host, 0, 600 * kMiB, PageSize::Auto).sizes, (std::vector{kHuge1G, kHuge2M}));
  EXPECT_EQ(plan_pages(host, 0, 82 * kMiB, PageSize::Huge1G).sizes.front(), kHuge1G);
  EXPECT_EQ(plan_pages(host, 0, 82 * kMiB, PageSize::Huge2M).sizes, std::vector{kHuge2M});
  for (const auto wanted : {PageSize::Auto, PageSize::Huge1G, PageSize::Huge2M})
    EXPECT_EQ(plan_pages(host, 0, 82 * kMiB, wanted).why, "");
  const auto none = plan_pages(host, 0, 82 * kMiB, PageSize::Ordinary);
  EXPECT_TRUE(none.sizes.empty());
  EXPECT_EQ(none.why, "hugepages are switched off");
}

TEST_F(HostPagesTest, SaysWhatMendsItAndCountsWhatOthersHave) {
  one_node();
  hugepages(node(0), 2048, 100, 11);  // 89 are another program's
  EXPECT_EQ(plan_pages(host, 0, 82 * kMiB, PageSize::Auto).why,
            "11 of 41 pages of 2 MiB free: sysctl -w vm.nr_hugepages=130");
  EXPECT_EQ(plan_pages(host, 0, 82 * kMiB, PageSize::Huge1G).why,
            "the kernel has no pages of 1 GiB; 11 of 41 pages of 2 MiB free: sysctl -w vm.nr_hugepages=130");
  hugepages(node(0), 1048576, 0, 0);
  hugepages(node(0), 2048, 64, 64);
  const auto second_best = plan_pages(host, 0, 82 * kMiB, PageSize::Huge1G);
  EXPECT_EQ(second_best.sizes, std::vector{kHuge2M});
  EXPECT_EQ(second_best.why,
            "0 of 1 pages of 1 GiB free: echo 1 > /sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages");
  write("proc/meminfo", "Hugepagesize:    1048576 kB");
  EXPECT_EQ(host.mend(0, kHuge1G, 1), "sysctl -w vm.nr_hugepages=1");
  EXPECT_EQ(host.mend(0, kHuge2M, 1), "echo 65 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
}

TEST_F(HostPagesTest, DoesNotCountPagesThatArePromisedToOthers) {
  one_node();
  hugepages(node(0), 2048, 64, 64);
  write("sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "60");
  EXPECT_EQ(host.hugepages(0, kHuge2M)->free, 4u);
}

TEST_F(HostPagesTest, CountsPagesByNode) {
  two_nodes();
  hugepages(node(0), 2048, 64, 64);
  hugepages(node(1), 2048, 0, 0);
  EXPECT_EQ(plan_pages(host, 0, 82 * kMiB, PageSize::Auto).sizes, std::vector{kHuge2M});
  const auto other = plan_pages(host, 1, 82 * kMiB, PageSize::Auto);
  EXPECT_TRUE(other.sizes.empty());
  EXPECT_EQ(other.why,
            "0 of 41 pages of 2 MiB free on node 1: echo 41 > "
            "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages");
}

TEST_F(HostPagesTest, APoolWhoseHugepagesAreNotThereWorksOnOrdinaryPages) {
  one_node();
  hugepages(node(0), 2048, 1u << 30, 1u << 30);  // more than any host has: the kernel will refuse
  const auto pool = BufferPool::create(
      {.buffers = 1024, .hugepages = true, .pages = PageSize::Huge2M, .nodes = {0}, .root = folder.path()});
  ASSERT_TRUE(pool.ok()) << text(pool.status());
  // The host that the test runs on may have what the test's host claims.
  EXPECT_TRUE((*pool)->on_hugepages()
                  ? (*pool)->page_kind() == "2 MiB hugepages"
                  : (*pool)->page_kind().find("the kernel gave no pages of 2 MiB") != std::string::npos)
      << (*pool)->page_kind();
  BufferCache cache(**pool);
  Packet* packet = cache.alloc();
  ASSERT_NE(packet, nullptr);
  cache.free(packet);
}

TEST(MapHugepages, LeavesThePlaceToOrdinaryPagesWhenTheKernelHasTooFew) {
  const auto real = HostPages().hugepages(-1, kHuge2M);
  const std::size_t size = ((real ? real->total : 0) + 64) * kHuge2M;
  void* memory = mmap(nullptr, size + kHuge2M, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  const auto aligned = (reinterpret_cast<std::uintptr_t>(memory) + kHuge2M - 1) / kHuge2M * kHuge2M;
  auto* const begin = reinterpret_cast<std::byte*>(aligned);
  std::string why;
  EXPECT_FALSE(map_hugepages({begin, size}, kHuge2M, 0, why));
  EXPECT_EQ(why, "the kernel gave no pages of 2 MiB (Cannot allocate memory)");
  bool transparent = false;
  ASSERT_TRUE(map_ordinary({begin, kHuge2M}, 0, transparent));
  begin[0] = begin[kHuge2M - 1] = std::byte{1};
  munmap(memory, size + kHuge2M);
}

TEST_F(HostPagesTest, WorkersTakeBuffersOfTheNodeOfTheirCpu) {
  two_nodes();
  const auto parts_of = [&](std::vector<int> cpus) {
    const auto workers = static_cast<unsigned>(std::max<std::size_t>(cpus.size(), 2));
    auto dataplane = Dataplane::create({.workers = workers,
                                        .cpus = std::move(cpus),
                                        .pool = {.buffers = 1024, .hugepages = false, .root = folder.path()}},
                                       {});
    EXPECT_TRUE(dataplane.ok());
    Registry registry;
    EXPECT_TRUE((*dataplane)->build(registry).ok());
    std::vector<int> nodes;
    for (const auto& thread : (*dataplane)->workers())
      nodes.push_back((*dataplane)->pool().part(thread->worker().buffers_part()).node);
    EXPECT_EQ((*dataplane)->pool().usage().total, 1024u * (*dataplane)->pool().parts());
    return nodes;
  };
  EXPECT_EQ(parts_of({0, 5, 10, 3}), (std::vector<int>{0, 1, 1, 0}));
  EXPECT_EQ(parts_of({4, 5}), (std::vector<int>{1, 1})) << "a node without workers has no buffers";
  EXPECT_EQ(parts_of({}), (std::vector<int>{-1, -1})) << "workers that may be anywhere share what there is";
}

}  // namespace
}  // namespace sluice
