// SPDX-License-Identifier: Apache-2.0
// The CPU that a process is on.
#pragma once

namespace sluice {

/// The highest level of x86-64 whose instructions this CPU has: 3 of x86-64-v3.
inline unsigned cpu_level() {
  const bool v2 =
      __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
  const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return 1u + v2 + v3 + v4;
}

}  // namespace sluice
