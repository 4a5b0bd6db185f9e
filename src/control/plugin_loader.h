// SPDX-License-Identifier: Apache-2.0
// Opens plugins and drivers. Symbols stay loaded until the process ends: kernels and handlers point into them.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "sluice/plugin.h"
#include "sluice/status.h"

namespace sluice {

struct LoadedPlugin {
  std::string name, summary, path, isa;
  const PluginDescriptor* descriptor;
};

/// Whether a process compiled for level `process`, on a CPU of level `cpu`, may run a plugin. Errors: its ABI, headers
/// or build level is another, or its code needs more; both are named, and the mend.
SLUICE_API Status fits(const PluginDescriptor& plugin, unsigned process, unsigned cpu);
/// Opens one shared object. Errors: it is no plugin; it was built for another ABI or for a CPU level that this process
/// does not run at (both versions are named, and the mend).
StatusOr<LoadedPlugin> load_plugin(const std::filesystem::path& path);
/// Opens every NAME.so in a folder (in its folder LEVEL, if it has one), or only those named; in the order of their
/// names. Errors: a name that is not there, with those that are.
StatusOr<std::vector<LoadedPlugin>> load_plugins(const std::filesystem::path& folder,
                                                 const std::vector<std::string>& only);
/// Where plugins lie: SLUICE_PLUGIN_PATH, else beside libsluice.so.
SLUICE_API std::filesystem::path default_plugin_folder();

}  // namespace sluice
