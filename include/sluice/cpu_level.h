// SPDX-License-Identifier: Apache-2.0
// Levels of x86-64 CPUs (x86-64-v2 is 2), as the compiler sees them: whatever a build calls its options, this is what
// the code that includes this file needs.
#pragma once

namespace sluice {

/// The lowest level that has all that this translation unit may use. Each unit has its own.
#if defined(__AVX512F__) || defined(__AVX512BW__) || defined(__AVX512CD__) || defined(__AVX512DQ__) || \
    defined(__AVX512VL__)
constexpr unsigned kCompiledLevel = 4;
#elif defined(__AVX__) || defined(__AVX2__) || defined(__BMI__) || defined(__BMI2__) || defined(__F16C__) || \
    defined(__FMA__) || defined(__LZCNT__) || defined(__MOVBE__)
constexpr unsigned kCompiledLevel = 3;
#elif defined(__SSE3__) || defined(__SSSE3__) || defined(__SSE4_1__) || defined(__SSE4_2__) || defined(__POPCNT__)
constexpr unsigned kCompiledLevel = 2;
#else
constexpr unsigned kCompiledLevel = 1;
#endif

}  // namespace sluice
