// SPDX-License-Identifier: Apache-2.0
// Times as operators read them.
#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <ctime>
#include <string>

namespace sluice::control {

/// 13:05:02.123456 of local time, from ns since 1970.
inline std::string time_of_day(std::uint64_t wall_ns) {
  const auto seconds = static_cast<time_t>(wall_ns / 1'000'000'000u);
  tm parts{};
  localtime_r(&seconds, &parts);
  return fmt::format("{:02}:{:02}:{:02}.{:06}", parts.tm_hour, parts.tm_min, parts.tm_sec, wall_ns / 1000 % 1'000'000);
}

}  // namespace sluice::control
