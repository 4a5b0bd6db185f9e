// SPDX-License-Identifier: Apache-2.0
// Time on the data path is the TSC. The control thread knows how many ticks make a second.
#pragma once
#include <sluice/types.h>
#include <x86intrin.h>

#include <cstdint>

namespace sluice {

inline std::uint64_t tsc() noexcept { return __rdtsc(); }
/// Ticks of the TSC in a second; measured once, at first use (takes 10 ms).
SLUICE_API std::uint64_t tsc_hz();
/// Nanoseconds for a number of ticks.
SLUICE_API std::uint64_t tsc_to_ns(std::uint64_t ticks);
SLUICE_API std::uint64_t ns_to_tsc(std::uint64_t ns);
/// Wall-clock time, in ns since 1970. No system call.
SLUICE_API std::uint64_t wall_ns();
/// Wall-clock time of a TSC value read by this process, by what the wall clock says now.
SLUICE_API std::uint64_t tsc_to_wall_ns(std::uint64_t ticks);

}  // namespace sluice
