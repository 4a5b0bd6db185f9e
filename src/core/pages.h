// SPDX-License-Identifier: Apache-2.0
// NUMA nodes and hugepages of the host, as /sys tells of them below any root (tests make their own), and memory on
// them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/pool.h"

namespace sluice {

inline constexpr std::size_t kHuge2M = std::size_t{2} << 20, kHuge1G = std::size_t{1} << 30;

/// "2 MiB", "1 GiB".
SLUICE_API std::string size_text(std::size_t bytes);

struct HugepageCount {
  std::uint64_t total = 0, free = 0;
};

class SLUICE_API HostPages {
 public:
  explicit HostPages(std::filesystem::path root = "/") : root_(std::move(root)) {}

  /// The NUMA nodes that are online; {0} where the kernel knows of none.
  std::vector<int> nodes() const;
  /// The node of a CPU; 0 when nothing says another.
  int node_of_cpu(int cpu) const;
  /// The node's hugepages of a size, or the host's where it does not count them by node (node -1). Nothing: the kernel
  /// has none of this size.
  std::optional<HugepageCount> hugepages(int node, std::size_t page_bytes) const;
  /// What makes so many more of them free: a command.
  std::string mend(int node, std::size_t page_bytes, std::uint64_t more) const;

 private:
  std::filesystem::path folder(int node, std::size_t page_bytes) const;
  std::filesystem::path root_;
};

/// What to try for a part of so many bytes, the best first, and why each better one is out. Nothing is left to try:
/// ordinary pages.
struct PagePlan {
  std::vector<std::size_t> sizes;
  std::string why;  ///< empty: the best is there
};
SLUICE_API PagePlan plan_pages(const HostPages& host, int node, std::size_t bytes, PageSize wanted);

/// Maps memory of pages of this size over a place that the caller has reserved, on a node where possible, all of it
/// there. Both are multiples of the size. False: the kernel gave none, says why, and the place is as it was.
SLUICE_API bool map_hugepages(std::span<std::byte> place, std::size_t page_bytes, int node, std::string& why);
/// The same with ordinary pages, which come when they are touched. True in transparent: transparent hugepages were
/// asked for.
SLUICE_API bool map_ordinary(std::span<std::byte> place, int node, bool& transparent);

}  // namespace sluice
