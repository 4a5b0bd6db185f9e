// SPDX-License-Identifier: Apache-2.0
#include "control/host_facts.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

namespace sluice::doctor {
namespace {

/// What stands behind `name` in a file of `name value` lines.
std::optional<std::string> row(const std::filesystem::path& file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name)) continue;
    const auto value = line.find_first_not_of(": \t", name.size());
    if (value != std::string::npos) return line.substr(value);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number(const std::optional<std::string>& text, int base = 10) {
  if (!text) return std::nullopt;
  if (text->starts_with("unlimited")) return std::numeric_limits<std::uint64_t>::max();
  std::uint64_t value = 0;
  if (std::from_chars(text->data(), text->data() + text->size(), value, base).ec != std::errc()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::string> HostFacts::line(const std::string& path) const {
  std::ifstream in(root_ / path);
  std::string text;
  if (!std::getline(in, text)) return std::nullopt;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text;
}

std::optional<std::uint64_t> HostFacts::meminfo(const std::string& name) const {
  return number(row(root_ / "proc/meminfo", name + ":"));
}

std::optional<std::uint64_t> HostFacts::own_mask(const std::string& name) const {
  return number(row(root_ / "proc/self/status", name + ":"), 16);
}

std::optional<std::uint64_t> HostFacts::own_limit(const std::string& name) const {
  return number(row(root_ / "proc/self/limits", name));
}

std::size_t HostFacts::open_files() const {
  std::error_code error;
  const std::filesystem::directory_iterator files(root_ / "proc/self/fd", error);
  return error ? 0 : static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

std::vector<int> HostFacts::cpu_list(const std::string& text) {
  std::vector<int> cpus;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const auto first = number(part);
    const auto dash = part.find('-');
    const auto last = dash == std::string::npos ? first : number(part.substr(dash + 1));
    if (!first || !last || *last > 65535) continue;
    for (auto cpu = *first; cpu <= *last; ++cpu) cpus.push_back(static_cast<int>(cpu));
  }
  return cpus;
}

std::vector<std::string> HostFacts::programs() const {
  std::set<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root_ / "proc", error)) {
    const auto pid = entry.path().filename().string();
    if (!std::all_of(pid.begin(), pid.end(), [](unsigned char c) { return std::isdigit(c) != 0; })) continue;
    std::ifstream comm(entry.path() / "comm");
    std::string name;
    if (std::getline(comm, name)) names.insert(name);
  }
  return {names.begin(), names.end()};
}

}  // namespace sluice::doctor
