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
  std::uint64_t hz, tsc_base, wall_base;
  Calibration() {
    const std::uint64_t ns0 = nanoseconds(CLOCK_MONOTONIC_RAW);
    const std::uint64_t t0 = tsc();
    std::uint64_t ns1 = ns0;
    while (ns1 - ns0 < 10'000'000) ns1 = nanoseconds(CLOCK_MONOTONIC_RAW);
    const std::uint64_t t1 = tsc();
    hz = static_cast<std::uint64_t>(static_cast<double>(t1 - t0) * 1e9 / static_cast<double>(ns1 - ns0));
    tsc_base = tsc();
    wall_base = nanoseconds(CLOCK_REALTIME);
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

std::uint64_t tsc_to_wall_ns(std::uint64_t ticks) {
  const auto& c = calibration();
  const bool later = ticks >= c.tsc_base;
  const std::uint64_t distance = tsc_to_ns(later ? ticks - c.tsc_base : c.tsc_base - ticks);
  return later ? c.wall_base + distance : c.wall_base - distance;
}

}  // namespace sluice
