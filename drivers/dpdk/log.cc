// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <fmt/ranges.h>
#include <sluice/log.h>

#include <deque>
#include <mutex>

#include "rte.h"

namespace sluice::dpdk {
namespace {

constexpr std::size_t kKept = 4;

struct Lines {
  std::mutex mutex;
  std::deque<std::string> complaints;
};

Lines& lines() {
  static Lines all;
  return all;
}

ssize_t write_line(void*, const char* bytes, std::size_t size) {
  std::string text(bytes, size);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  if (text.empty()) return static_cast<ssize_t>(size);
  const int level = rte_log_cur_msg_loglevel();
  const bool serious = level > 0 && level <= static_cast<int>(RTE_LOG_ERR);
  // Warnings among them are of the machine (no 1 GiB pages), not of what was asked for.
  log(serious ? LogLevel::Warning : LogLevel::Debug, "DPDK says", field("text", text));
  const std::lock_guard lock(lines().mutex);
  auto& kept = lines().complaints;
  if (serious) kept.push_back(std::move(text));
  if (kept.size() > kKept) kept.pop_front();
  return static_cast<ssize_t>(size);
}

}  // namespace

void take_log() {
  std::FILE* stream = fopencookie(nullptr, "w", {.write = write_line});
  if (!stream) return;
  setvbuf(stream, nullptr, _IOLBF, 1024);
  rte_openlog_stream(stream);
}

Said::Said() {
  const std::lock_guard lock(lines().mutex);
  lines().complaints.clear();
}

std::string Said::text() const {
  const std::lock_guard lock(lines().mutex);
  if (lines().complaints.empty()) return "DPDK does not say why";
  return fmt::format("{}", fmt::join(lines().complaints, "; "));
}

}  // namespace sluice::dpdk
