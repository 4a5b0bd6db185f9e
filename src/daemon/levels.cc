// SPDX-License-Identifier: Apache-2.0
#include "levels.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace sluice::launcher {
namespace {

bool runs(const Level& level, unsigned cpu) { return cpu_of(level.name) <= static_cast<int>(cpu); }

bool offers(const Level& level, const std::string& plugin) {
  return std::find(level.plugins.begin(), level.plugins.end(), plugin) != level.plugins.end();
}

std::string names_of(const std::vector<Level>& levels) {
  std::vector<std::string> names;
  for (const Level& level : levels) names.push_back(level.name);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

std::vector<std::string> lacking(const Level& level, const std::vector<std::string>& wanted) {
  std::vector<std::string> missing;
  for (const std::string& plugin : wanted) {
    if (!offers(level, plugin)) missing.push_back(plugin);
  }
  return missing;
}

Choice refuse(std::string error) { return {{}, {}, std::move(error)}; }

Choice take(const std::vector<Level>& installed, const std::vector<Level>& possible, unsigned cpu,
            const std::string& asked) {
  const auto is_it = [&](const Level& level) { return level.name == asked; };
  if (std::any_of(possible.begin(), possible.end(), is_it)) return {asked, {}, {}};
  if (std::any_of(installed.begin(), installed.end(), is_it)) {
    return refuse(
        fmt::format("--isa {}: this CPU has x86-64-v{}; installed and fit for it: {}", asked, cpu, names_of(possible)));
  }
  return refuse(fmt::format("--isa {}: not installed; installed and fit for this CPU: {}", asked, names_of(possible)));
}

}  // namespace

int cpu_of(std::string_view level) {
  if (level == "native") return 0;
  constexpr std::string_view kFamily = "x86-64-v";
  const bool is_level =
      level.size() == kFamily.size() + 1 && level.starts_with(kFamily) && level.back() >= '1' && level.back() <= '9';
  return is_level ? level.back() - '0' : -1;
}

Choice choose(std::vector<Level> installed, unsigned cpu, const std::string& asked, std::vector<std::string> wanted) {
  // What was built for this very machine comes first.
  const auto rank = [](const Level& level) { return level.name == "native" ? 100 : cpu_of(level.name); };
  std::sort(installed.begin(), installed.end(), [&](const Level& a, const Level& b) { return rank(a) > rank(b); });
  std::vector<Level> possible;
  std::copy_if(installed.begin(), installed.end(), std::back_inserter(possible),
               [&](const Level& level) { return runs(level, cpu); });
  if (!asked.empty()) return take(installed, possible, cpu, asked);
  if (possible.empty()) {
    return refuse(fmt::format("this CPU has x86-64-v{}, and installed are: {}; build it with -DSLUICE_ISA=x86-64-v{}",
                              cpu, names_of(installed), cpu));
  }
  const bool all = wanted.empty();
  for (const Level& level : installed) {
    if (all) wanted.insert(wanted.end(), level.plugins.begin(), level.plugins.end());
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  std::erase_if(wanted, [&](const std::string& plugin) {
    return std::none_of(installed.begin(), installed.end(), [&](const Level& level) { return offers(level, plugin); });
  });
  Choice choice;
  for (const Level& level : possible) {
    const auto missing = lacking(level, wanted);
    if (missing.empty()) {
      choice.level = level.name;
      return choice;
    }
    choice.remarks.push_back(fmt::format("{} has no {}", level.name, fmt::join(missing, ", ")));
  }
  return refuse(
      fmt::format("no CPU level that is installed and fit for this CPU has every plugin: {}; build the plugins "
                  "for one of them, name those that you want under plugins.load, or give --isa",
                  fmt::join(choice.remarks, "; ")));
}

}  // namespace sluice::launcher
