// SPDX-License-Identifier: Apache-2.0
#include "sluice/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <ctime>
#include <deque>
#include <map>
#include <mutex>

namespace sluice {
namespace {

constexpr std::uint32_t kPerSecond = 10;

std::uint64_t wall_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

/// Spaces and quotes in a value are quoted, so that a line can be taken apart again.
std::string quoted(const std::string& value) {
  if (!value.empty() && value.find_first_of(" \"=\n") == std::string::npos) return value;
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + "\"";
}

struct Budget {
  std::uint64_t second = 0;
  std::uint32_t used = 0;
  std::uint32_t suppressed = 0;
};

class Logger {
 public:
  Logger() : sink_(spdlog::stderr_logger_mt("sluice")) {
    // Under systemd the journal adds the time and reads the level from <N>.
    journal_ = std::getenv("JOURNAL_STREAM") != nullptr;
    sink_->set_pattern(journal_ ? "%v" : "%H:%M:%S.%e %v");
    sink_->set_level(spdlog::level::trace);
    sink_->flush_on(spdlog::level::trace);
  }

  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    const std::lock_guard lock(mutex_);
    if (level < level_) return;
    const std::uint64_t now = wall_ns();
    const std::uint32_t suppressed = take(event, now / 1'000'000'000u);
    if (suppressed == kRefused) return;
    std::string text(event);
    for (const LogField& f : fields) text += fmt::format(" {}={}", f.key, quoted(f.value));
    if (suppressed) text += fmt::format(" suppressed={}", suppressed);
    const int priority = level == LogLevel::Error     ? 3
                         : level == LogLevel::Warning ? 4
                         : level == LogLevel::Info    ? 6
                                                      : 7;
    sink_->info(journal_ ? fmt::format("<{}>{}", priority, text) : fmt::format("{} {}", to_string(level), text));
    kept_.push_back({now, level, std::move(text)});
    if (kept_.size() > kLogKept) kept_.pop_front();
  }
  void set_level(LogLevel level) {
    const std::lock_guard lock(mutex_);
    level_ = level;
  }
  std::vector<LogLine> recent() {
    const std::lock_guard lock(mutex_);
    return {kept_.begin(), kept_.end()};
  }

 private:
  static constexpr std::uint32_t kRefused = ~std::uint32_t{0};
  std::uint32_t take(std::string_view event, std::uint64_t second) {
    if (budgets_.size() > 4096) budgets_.clear();
    Budget& budget = budgets_[std::string(event)];
    if (budget.second != second) {
      const std::uint32_t suppressed = budget.suppressed;
      budget = {second, 1, 0};
      return suppressed;
    }
    if (++budget.used <= kPerSecond) return 0;
    ++budget.suppressed;
    return kRefused;
  }

  std::mutex mutex_;
  std::shared_ptr<spdlog::logger> sink_;
  bool journal_ = false;
  LogLevel level_ = LogLevel::Info;
  std::map<std::string, Budget> budgets_;
  std::deque<LogLine> kept_;
};

Logger& logger() {
  static Logger once;
  return once;
}

}  // namespace

void log_fields(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  logger().write(level, event, fields);
}
void set_log_level(LogLevel level) { logger().set_level(level); }
std::vector<LogLine> recent_log() { return logger().recent(); }

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::Debug: return "debug";
    case LogLevel::Info: return "info";
    case LogLevel::Warning: return "warning";
    case LogLevel::Error: return "error";
  }
  return "";
}

}  // namespace sluice
