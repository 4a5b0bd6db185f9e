// SPDX-License-Identifier: Apache-2.0
#include "sluice/clock.h"

#include <ctime>

namespace sluice {
namespace {

std::uint64_t nanoseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

struct Calibration {
  std::uint64_t hz;
  Calibration() {
    const std::uint64_t ns0 = nanoseconds(CLOCK_MONOTONIC_RAW);
    const std::uint64_t t0 = tsc();
    std::uint64_t ns1 = ns0;
    while (ns1 - ns0 < 10'000'000) ns1 = nanoseconds(CLOCK_MONOTONIC_RAW);
    const std::uint64_t t1 = tsc();
    hz = static_cast<std::uint64_t>(static_cast<double>(t1 - t0) * 1e9 / static_cast<double>(ns1 - ns0));
  }
};

const Calibration& calibration() {
  static const Calibration once;
  return once;
}

}  // namespace

std::uint64_t tsc_hz() { return calibration().hz; }

std::uint64_t tsc_to_ns(std::uint64_t ticks) {
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(ticks) * 1'000'000'000u / tsc_hz());
}

std::uint64_t ns_to_tsc(std::uint64_t ns) {
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(ns) * tsc_hz() / 1'000'000'000u);
}

std::uint64_t wall_ns() { return nanoseconds(CLOCK_REALTIME); }

std::uint64_t tsc_to_wall_ns(std::uint64_t ticks) {
  // From a base taken once, the error of tsc_hz() and what NTP corrects would add up for as long as we run.
  thread_local std::uint64_t base = 0, wall = 0;
  if (const std::uint64_t now = tsc(); now - base > tsc_hz()) {
    base = now;
    wall = wall_ns();
  }
  return ticks >= base ? wall + tsc_to_ns(ticks - base) : wall - tsc_to_ns(base - ticks);
}

}  // namespace sluice
