// SPDX-License-Identifier: Apache-2.0
// Log lines: an event, then key=value fields. Control thread and other threads that may block, never a kernel.
//
//   log(LogLevel::Info, "pod attached", field("pod", name), field("netns", path));
//   -> 10:31:02.123 info pod attached pod=default/web netns=/run/netns/web
//
// The same event more than ten times within a second is counted instead, and the count said once. Keys and other
// secrets are never given to log().
#pragma once
#include <sluice/types.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace sluice {

enum class LogLevel : std::uint8_t { Debug, Info, Warning, Error };

struct LogField {
  std::string_view key;
  std::string value;
};

template <class T>
LogField field(std::string_view key, const T& value) {
  return {key, fmt::format("{}", value)};
}

struct LogLine {
  std::uint64_t wall_ns;
  LogLevel level;
  std::string text;  ///< event and fields
};

SLUICE_API void log_fields(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);
template <class... Fields>
void log(LogLevel level, std::string_view event, Fields&&... fields) {
  log_fields(level, event, {std::forward<Fields>(fields)...});
}

/// Lines below this level are not written.
SLUICE_API void set_log_level(LogLevel level);
/// The last lines, oldest first; at most kLogKept.
inline constexpr std::size_t kLogKept = 1000;
SLUICE_API std::vector<LogLine> recent_log();
SLUICE_API std::string_view to_string(LogLevel level);

}  // namespace sluice
