// SPDX-License-Identifier: Apache-2.0
// bin/sluiced of an installation: becomes lib/sluice/LEVEL/sluiced. Compiled for any x86-64 CPU, and without libsluice,
// which is of a level. What it does not understand it leaves to the daemon, which says what is wrong.
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "control/cpu.h"
#include "levels.h"

namespace {

namespace fs = std::filesystem;
using namespace sluice::launcher;

/// Of the daemon's arguments and configuration, what the choice depends on.
struct Wanted {
  std::string isa;
  std::string configuration = "/etc/sluice/sluiced.yaml";
  std::string plugin_path;           ///< empty: the level's own folder
  std::vector<std::string> files;    ///< --plugin
  std::vector<std::string> plugins;  ///< plugins.load
};

void read_configuration(Wanted& wanted) {
  try {
    const YAML::Node plugins = YAML::LoadFile(wanted.configuration)["plugins"];
    if (wanted.plugin_path.empty()) wanted.plugin_path = plugins["path"].as<std::string>("");
    wanted.plugins = plugins["load"].as<std::vector<std::string>>(std::vector<std::string>{});
  } catch (const YAML::Exception&) {
    // The daemon says it.
  }
}

Wanted wanted_by(int argc, char** argv) {
  Wanted wanted;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.add_option("--isa", wanted.isa);
  app.add_option("-c,--config,--check", wanted.configuration);
  app.add_option("--plugin-path", wanted.plugin_path);
  app.add_option("--plugin", wanted.files);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError&) {
    return wanted;  // the daemon says it
  }
  read_configuration(wanted);
  const char* path = std::getenv("SLUICE_PLUGIN_PATH");
  if (wanted.plugin_path.empty() && path) wanted.plugin_path = path;
  return wanted;
}

/// The level that a plugin was built for (SLUICE_PLUGIN writes it into the file), or nothing.
std::string level_of(const fs::path& plugin) {
  std::ifstream file(plugin, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  constexpr std::string_view kMark = "sluice-isa=";
  const auto at = bytes.find(kMark);
  return at == std::string::npos ? "" : std::string(bytes.c_str() + at + kMark.size());
}

bool is_for(const fs::path& plugin, const std::string& level) {
  const std::string its = level_of(plugin);
  return its.empty() || its == level;
}

Level level_in(const fs::path& folder, const Wanted& wanted) {
  Level level{folder.filename(), {}};
  fs::path plugins = folder;
  bool by_level = true;
  if (!wanted.plugin_path.empty()) {
    plugins = fs::path(wanted.plugin_path) / level.name;
    by_level = fs::is_directory(plugins);
    if (!by_level) plugins = wanted.plugin_path;
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(plugins, error)) {
    const fs::path& path = entry.path();
    if (path.extension() != ".so" || path.filename().string().starts_with("lib")) continue;
    if (by_level || is_for(path, level.name)) level.plugins.push_back(path.stem());
  }
  for (const std::string& file : wanted.files) {
    if (is_for(file, level.name)) level.plugins.push_back(file);
  }
  return level;
}

int fail(const std::string& sentence) {
  std::fprintf(stderr, "sluiced: %s\n", sentence.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error);
  if (error) return fail("/proc/self/exe: " + error.message() + "; mount /proc");
  const fs::path levels = own.parent_path().parent_path() / "lib/sluice";
  const Wanted wanted = wanted_by(argc, argv);
  std::vector<Level> installed;
  for (const auto& entry : fs::directory_iterator(levels, error)) {
    if (cpu_of(entry.path().filename().string()) < 0 || !fs::exists(entry.path() / "sluiced")) continue;
    installed.push_back(level_in(entry.path(), wanted));
  }
  if (installed.empty()) return fail(levels.string() + ": no level of the daemon is here; install Sluice again");
  std::vector<std::string> plugins = wanted.plugins;
  if (!plugins.empty()) plugins.insert(plugins.end(), wanted.files.begin(), wanted.files.end());
  const Choice choice = choose(std::move(installed), sluice::cpu_level(), wanted.isa, std::move(plugins));
  if (choice.level.empty()) return fail(choice.error);
  for (const std::string& remark : choice.remarks) {
    std::fprintf(stderr, "sluiced: %s: CPU level %s is taken\n", remark.c_str(), choice.level.c_str());
  }
  const fs::path daemon = levels / choice.level / "sluiced";
  ::execv(daemon.c_str(), argv);
  return fail(daemon.string() + ": " + std::strerror(errno) + "; install Sluice again");
}
