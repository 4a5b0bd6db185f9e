// SPDX-License-Identifier: Apache-2.0
// Which of the installed CPU levels a daemon runs at. lib/sluice/LEVEL has a daemon, its library and its plugins, all
// compiled for that level; one process has one level.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace sluice::launcher {

/// What is installed for one level.
struct Level {
  std::string name;                  ///< "x86-64-v3", or "native": for the machine that it was built on
  std::vector<std::string> plugins;  ///< names, and files that were asked for; what of these it offers
};

struct Choice {
  std::string level;                 ///< empty: refused
  std::vector<std::string> remarks;  ///< sentences: why a higher one was not taken
  std::string error;                 ///< a sentence: why none is
};

/// The level of x86-64 that a level's code needs: 3 of "x86-64-v3", 0 of "native". Below zero: no level's name.
int cpu_of(std::string_view level);

/// The highest level that a CPU of level `cpu` has and that offers every plugin; `asked` if that is not empty. Wanted
/// are these plugins; if there are none, all that any level has. A plugin that no level has is the daemon's to refuse.
Choice choose(std::vector<Level> installed, unsigned cpu, const std::string& asked, std::vector<std::string> wanted);

}  // namespace sluice::launcher
