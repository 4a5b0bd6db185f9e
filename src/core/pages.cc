// SPDX-License-Identifier: Apache-2.0
#include "core/pages.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

extern "C" {
#include <hugetlbfs.h>
}

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>

namespace sluice {
namespace {

constexpr int kNodesMax = 1024;
// Newer than Debian 12's libc headers may be.
constexpr int kPopulateWrite = 23;

std::optional<std::uint64_t> number_in(const std::filesystem::path& file) {
  std::uint64_t number = 0;
  std::ifstream in(file);
  if (in >> number) return number;
  return std::nullopt;
}

/// "0-3,7" as the kernel writes it.
std::vector<int> number_list(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string text;
  std::getline(in, text);
  std::vector<int> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    int first = 0;
    auto [next, error] = std::from_chars(at, end, first);
    if (error != std::errc()) break;
    int last = first;
    if (next < end && *next == '-') {
      const auto range = std::from_chars(next + 1, end, last);
      if (range.ec != std::errc()) break;
      next = range.ptr;
    }
    for (int i = first; i <= last && numbers.size() < kNodesMax; ++i) numbers.push_back(i);
    at = next < end && *next == ',' ? next + 1 : end;
  }
  return numbers;
}

/// Memory of a node, for want of it another's: what is reserved must not fault.
void prefer_node(std::span<std::byte> place, int node) {
  if (node < 0 || node >= kNodesMax) return;
  std::array<unsigned long, kNodesMax / (8 * sizeof(unsigned long))> mask{};
  constexpr std::size_t kBits = 8 * sizeof(unsigned long);
  mask[static_cast<std::size_t>(node) / kBits] |= 1ul << (static_cast<std::size_t>(node) % kBits);
  (void)syscall(SYS_mbind, place.data(), place.size(), MPOL_PREFERRED, mask.data(), kNodesMax + 1, 0);
}

/// Has every page there now, where a missing one is an error and not a signal later.
bool populate(std::span<std::byte> place, std::size_t page_bytes) {
  if (madvise(place.data(), place.size(), kPopulateWrite) == 0) return true;
  if (errno != EINVAL) return false;
  // Before Linux 5.14: a read into a page that cannot be had fails as well.
  const int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  bool there = zero >= 0;
  for (std::size_t at = 0; there && at < place.size(); at += page_bytes) there = read(zero, &place[at], 1) == 1;
  if (zero >= 0) close(zero);
  return there;
}

/// libhugetlbfs' unlinked file where a hugetlbfs of that page size is mounted; without a mount anonymous memory does.
int hugetlbfs_file(std::size_t page_bytes) {
  const auto size = static_cast<long>(page_bytes);
  return hugetlbfs_find_path_for_size(size) ? hugetlbfs_unlinked_fd_for_size(size) : -1;
}

}  // namespace

std::string size_text(std::size_t bytes) {
  if (bytes >= kHuge1G && bytes % kHuge1G == 0) return fmt::format("{} GiB", bytes >> 30);
  if (bytes >= (1u << 20) && bytes % (1u << 20) == 0) return fmt::format("{} MiB", bytes >> 20);
  return fmt::format("{} KiB", bytes >> 10);
}

std::vector<int> HostPages::nodes() const {
  auto nodes = number_list(root_ / "sys/devices/system/node/online");
  if (nodes.empty()) nodes.push_back(0);
  return nodes;
}

int HostPages::node_of_cpu(int cpu) const {
  for (const int node : nodes()) {
    const auto cpus = number_list(root_ / fmt::format("sys/devices/system/node/node{}/cpulist", node));
    if (std::find(cpus.begin(), cpus.end(), cpu) != cpus.end()) return node;
  }
  return 0;
}

std::filesystem::path HostPages::folder(int node, std::size_t page_bytes) const {
  const auto name = fmt::format("hugepages-{}kB", page_bytes / 1024);
  if (node >= 0) {
    auto of_node = root_ / fmt::format("sys/devices/system/node/node{}/hugepages", node) / name;
    if (std::filesystem::exists(of_node)) return of_node;
  }
  return root_ / "sys/kernel/mm/hugepages" / name;
}

std::optional<HugepageCount> HostPages::hugepages(int node, std::size_t page_bytes) const {
  const auto where = folder(node, page_bytes);
  const auto free = number_in(where / "free_hugepages"), total = number_in(where / "nr_hugepages");
  if (!free || !total) return std::nullopt;
  HugepageCount count{*total, *free};
  // Some of the free ones may be promised to others already; only the host as a whole counts those.
  const auto promised =
      number_in(root_ / fmt::format("sys/kernel/mm/hugepages/hugepages-{}kB/resv_hugepages", page_bytes / 1024));
  count.free -= std::min(count.free, promised.value_or(0));
  return count;
}

std::string HostPages::mend(int node, std::size_t page_bytes, std::uint64_t more) const {
  const auto now = hugepages(node, page_bytes).value_or(HugepageCount{});
  // The least that may be wanted: those that are free are used too, the others are somebody's.
  const std::uint64_t wanted = now.total + more;
  std::string line;
  std::ifstream meminfo(root_ / "proc/meminfo");
  std::size_t standard = 0;
  while (std::getline(meminfo, line)) {
    if (line.starts_with("Hugepagesize:")) standard = std::strtoull(line.c_str() + 13, nullptr, 10) * 1024;
  }
  if (nodes().size() == 1 && page_bytes == standard) return fmt::format("sysctl -w vm.nr_hugepages={}", wanted);
  const bool by_node = nodes().size() > 1 && node >= 0;
  return fmt::format("echo {} > /sys/{}/hugepages-{}kB/nr_hugepages", wanted,
                     by_node ? fmt::format("devices/system/node/node{}/hugepages", node) : "kernel/mm/hugepages",
                     page_bytes / 1024);
}

PagePlan plan_pages(const HostPages& host, int node, std::size_t bytes, PageSize wanted) {
  constexpr std::size_t kWorthGigabytes = std::size_t{512} << 20;
  std::vector<std::size_t> order;
  switch (wanted) {
    case PageSize::Ordinary: return {{}, "hugepages are switched off"};
    case PageSize::Huge2M: order = {kHuge2M}; break;
    case PageSize::Huge1G: order = {kHuge1G, kHuge2M}; break;
    case PageSize::Auto:
      order = {kHuge2M, kHuge1G};
      if (bytes >= kWorthGigabytes) std::swap(order[0], order[1]);
      break;
  }
  PagePlan plan;
  for (const std::size_t size : order) {
    const auto pages = host.hugepages(node, size);
    const std::uint64_t needed = (bytes + size - 1) / size;
    if (pages && pages->free >= needed) {
      plan.sizes.push_back(size);
      continue;
    }
    // What is less than the best that there is needs no excuse; nor is 1 GiB named to who did not ask for it.
    if (!plan.sizes.empty() || (size == kHuge1G && wanted == PageSize::Auto)) continue;
    if (!plan.why.empty()) plan.why += "; ";
    if (!pages) {
      plan.why += fmt::format("the kernel has no pages of {}", size_text(size));
    } else {
      plan.why += fmt::format("{} of {} pages of {} free{}: {}", pages->free, needed, size_text(size),
                              node >= 0 && host.nodes().size() > 1 ? fmt::format(" on node {}", node) : "",
                              host.mend(node, size, needed - pages->free));
    }
  }
  return plan;
}

bool map_hugepages(std::span<std::byte> place, std::size_t page_bytes, int node, std::string& why) {
  const int file = hugetlbfs_file(page_bytes);
  const int bits = __builtin_ctzll(page_bytes);
  const int flags = file >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | bits << MAP_HUGE_SHIFT;
  void* memory = mmap(place.data(), place.size(), PROT_READ | PROT_WRITE, flags | MAP_FIXED, file, 0);
  const int refused = errno;
  if (file >= 0) close(file);
  bool there = memory != MAP_FAILED;
  if (!there) errno = refused;
  if (there) {
    prefer_node(place, node);
    there = populate(place, page_bytes);
  }
  if (there) return true;
  why = fmt::format("the kernel gave no pages of {} ({})", size_text(page_bytes), std::strerror(errno));
  (void)mmap(place.data(), place.size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  return false;
}

bool map_ordinary(std::span<std::byte> place, int node, bool& transparent) {
  void* memory =
      mmap(place.data(), place.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (memory == MAP_FAILED) return false;
  transparent = madvise(place.data(), place.size(), MADV_HUGEPAGE) == 0;
  prefer_node(place, node);
  return true;
}

}  // namespace sluice
