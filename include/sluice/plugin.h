// SPDX-License-Identifier: Apache-2.0
// The entry of a plugin or driver: a table of contents, called once at start.
#pragma once
#include <sluice/abi_hash.h>
#include <sluice/cpu_level.h>
#include <sluice/registry.h>

#include <cstdint>

namespace sluice {

/// Raised when this file changes so that a daemon could not even read the descriptor of an old plugin.
inline constexpr std::uint32_t kAbiVersion = 3;

struct PluginDescriptor {
  std::uint32_t abi;
  const char* name;
  const char* summary;
  const char* isa;  ///< CPU level that its build asked for
  void (*init)(Registry&);
  const char* headers;  ///< hash of the public headers that it was compiled with
  unsigned level;       ///< CPU level that its code needs
};

}  // namespace sluice

#ifndef SLUICE_ISA_NAME
#define SLUICE_ISA_NAME "unknown"
#endif

/// SLUICE_PLUGIN(vxlan, "VXLAN tunnels") { registry.node<VxlanDecap>(…); … }
/// The string tells sluiced's launcher the file's CPU level before anything is loaded.
#define SLUICE_PLUGIN(NAME, SUMMARY)                                                                      \
  [[gnu::used]] static const char sluice_plugin_isa_##NAME[] = "sluice-isa=" SLUICE_ISA_NAME;             \
  static void sluice_plugin_init_##NAME(sluice::Registry& registry);                                      \
  extern "C" SLUICE_API const sluice::PluginDescriptor sluice_plugin_##NAME;                              \
  const sluice::PluginDescriptor sluice_plugin_##NAME{                                                    \
      sluice::kAbiVersion,   #NAME, SUMMARY, SLUICE_ISA_NAME, sluice_plugin_init_##NAME, SLUICE_ABI_HASH, \
      sluice::kCompiledLevel};                                                                            \
  static void sluice_plugin_init_##NAME([[maybe_unused]] sluice::Registry& registry)
