// SPDX-License-Identifier: Apache-2.0
// What is to be known of a host before it can be judged: read from /proc and /sys, below any root (tests make their
// own).
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sluice/types.h"

namespace sluice::doctor {

class SLUICE_API HostFacts {
 public:
  explicit HostFacts(std::filesystem::path root = "/") : root_(std::move(root)) {}

  /// The first line of a file, without the blank at its end; nothing when it cannot be read.
  std::optional<std::string> line(const std::string& path) const;
  bool exists(const std::string& path) const { return std::filesystem::exists(root_ / path); }
  /// A number of /proc/meminfo: "HugePages_Free", "Hugepagesize" (kB).
  std::optional<std::uint64_t> meminfo(const std::string& name) const;
  /// A mask of /proc/self/status in hex: "CapEff".
  std::optional<std::uint64_t> own_mask(const std::string& name) const;
  /// Soft limit and unit of a row of /proc/self/limits: "Max open files". Unlimited is the largest number.
  std::optional<std::uint64_t> own_limit(const std::string& name) const;
  std::size_t open_files() const;
  /// CPU numbers of a list as the kernel writes it: "2-3,7".
  static std::vector<int> cpu_list(const std::string& text);
  /// Programs that run, by their short names, each once.
  std::vector<std::string> programs() const;

 private:
  std::filesystem::path root_;
};

}  // namespace sluice::doctor
