// SPDX-License-Identifier: Apache-2.0
#include "control/plugin_loader.h"

#include <dlfcn.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "control/cpu.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

std::string_view isa() { return SLUICE_ISA_NAME; }

}  // namespace

fs::path default_plugin_folder() {
  if (const char* path = std::getenv("SLUICE_PLUGIN_PATH")) return path;
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&default_plugin_folder), &info) == 0 || !info.dli_fname) return ".";
  const fs::path library = fs::weakly_canonical(info.dli_fname);
  // Installed: lib/libsluice.so and lib/sluice/LEVEL/NAME.so. In a build tree they lie side by side.
  const fs::path installed = library.parent_path() / "sluice" / std::string(isa());
  return fs::exists(installed) ? installed : library.parent_path();
}

Status fits(const PluginDescriptor& plugin, unsigned process, unsigned cpu) {
  if (plugin.abi != kAbiVersion) {
    return failed_precondition("plugin {} was built for ABI {}, this is ABI {}; build it against the installed headers",
                               plugin.name, plugin.abi, kAbiVersion);
  }
  if (std::string_view(plugin.headers) != SLUICE_ABI_HASH) {
    return failed_precondition(
        "plugin {} was built with headers {}, this process with {}; build it again against the installed headers, and "
        "all of a build folder at once",
        plugin.name, plugin.headers, SLUICE_ABI_HASH);
  }
  if (plugin.level > process) {
    return failed_precondition(
        "plugin {} was compiled for CPUs of level x86-64-v{}, this process for x86-64-v{}, and the CPU has x86-64-v{}; "
        "compile it for x86-64-v{}, as -DSLUICE_ISA={} does when nothing else gives -march",
        plugin.name, plugin.level, process, cpu, process, isa());
  }
  if (plugin.isa != isa()) {
    return failed_precondition("plugin {} was built for {}, this process runs at {}; build it with -DSLUICE_ISA={}",
                               plugin.name, plugin.isa, isa(), isa());
  }
  return {};
}

StatusOr<LoadedPlugin> load_plugin(const fs::path& path) {
  const std::string name = path.stem();
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return not_found("plugin {}: {}; name the file of a plugin that was built for this version", name, dlerror());
  const auto* descriptor = static_cast<const PluginDescriptor*>(dlsym(handle, ("sluice_plugin_" + name).c_str()));
  if (!descriptor) {
    return refused("plugin {}: {} has no SLUICE_PLUGIN({}, …); the file must be called like the plugin", name,
                   path.string(), name);
  }
  if (auto status = fits(*descriptor, kCompiledLevel, cpu_level()); !status.ok()) return status;
  return LoadedPlugin{descriptor->name, descriptor->summary, path.string(), descriptor->isa, descriptor};
}

StatusOr<std::vector<LoadedPlugin>> load_plugins(const fs::path& given, const std::vector<std::string>& only) {
  std::vector<fs::path> found;
  std::vector<std::string> names;
  std::error_code error;
  const fs::path folder = fs::is_directory(given / isa()) ? given / isa() : given;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const fs::path& path = entry.path();
    if (path.extension() != ".so" || path.filename().string().starts_with("lib")) continue;
    found.push_back(path);
    names.push_back(path.stem());
  }
  if (error)
    return not_found("plugin folder {}: {}; give another with --plugin-path", folder.string(), error.message());
  std::sort(found.begin(), found.end());
  std::sort(names.begin(), names.end());
  for (const std::string& name : only) {
    if (!std::binary_search(names.begin(), names.end(), name)) {
      return not_found("plugin {}: not in {}; there are: {}; name one of these under plugins.load", name,
                       folder.string(), fmt::join(names, ", "));
    }
  }
  std::vector<LoadedPlugin> loaded;
  for (const fs::path& path : found) {
    const bool wanted = only.empty() || std::find(only.begin(), only.end(), path.stem()) != only.end();
    if (!wanted) continue;
    auto plugin = load_plugin(path);
    if (!plugin.ok()) return plugin.status();
    loaded.push_back(std::move(*plugin));
  }
  return loaded;
}

}  // namespace sluice
