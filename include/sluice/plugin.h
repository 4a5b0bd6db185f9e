// SPDX-License-Identifier: Apache-2.0
// The entry of a plugin or driver: a table of contents, called once at start.
#pragma once
#include <sluice/registry.h>

#include <cstdint>

namespace sluice {

/// Raised with every change of a public header that old binaries would misread.
inline constexpr std::uint32_t kAbiVersion = 1;

struct PluginDescriptor {
  std::uint32_t abi;
  const char* name;
  const char* summary;
  const char* isa;  ///< CPU level it was compiled for
  void (*init)(Registry&);
};

}  // namespace sluice

#ifndef SLUICE_ISA_NAME
#define SLUICE_ISA_NAME "unknown"
#endif

/// SLUICE_PLUGIN(vxlan, "VXLAN tunnels") { registry.node<VxlanDecap>(…); … }
#define SLUICE_PLUGIN(NAME, SUMMARY)                                                                        \
  static void sluice_plugin_init_##NAME(sluice::Registry& registry);                                        \
  extern "C" SLUICE_API const sluice::PluginDescriptor sluice_plugin_##NAME;                                \
  const sluice::PluginDescriptor sluice_plugin_##NAME{sluice::kAbiVersion, #NAME, SUMMARY, SLUICE_ISA_NAME, \
                                                      sluice_plugin_init_##NAME};                           \
  static void sluice_plugin_init_##NAME([[maybe_unused]] sluice::Registry& registry)
