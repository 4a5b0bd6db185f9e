// SPDX-License-Identifier: Apache-2.0
#include "pager.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "control/text_width.h"

namespace sluice::ctl {
namespace {

using std::chrono::steady_clock;

/// A command that has said nothing more for so long is live.
constexpr std::chrono::milliseconds kLive{200};

bool is_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0;
  const char* path = std::getenv("PATH");
  std::string_view left = path ? path : "";
  while (!left.empty()) {
    const auto end = std::min(left.find(':'), left.size());
    if (access((std::string(left.substr(0, end)) + "/" + name).c_str(), X_OK) == 0) return true;
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return false;
}

/// $PAGER, else less; empty when there is none, for then the text would be lost.
std::string pager_command() {
  const char* own = std::getenv("PAGER");
  std::string command = own ? own : "less -FRX";
  const auto begin = command.find_first_not_of(' ');
  if (begin == std::string::npos) return {};
  return is_program(command.substr(begin, command.find(' ', begin) - begin)) ? command : std::string();
}

}  // namespace

Pager::Pager(bool wanted) {
  if (wanted && output_is_terminal()) {
    size_ = output_size();
    command_ = size_.rows ? pager_command() : "";
  }
  holding_ = !command_.empty();
}

void Pager::pass(std::string_view text) {
  FILE* to = pipe_ ? pipe_ : stdout;
  std::fwrite(text.data(), 1, text.size(), to);
  if (pipe_ || output_is_terminal()) std::fflush(to);
}

void Pager::write(std::string_view text) {
  tick();
  if (!holding_) return pass(text);
  if (held_.empty()) first_ = steady_clock::now();
  held_ += text;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const bool ends = end != std::string_view::npos;
    line_ += control::columns_of(text.substr(0, end));
    if (!ends) break;
    lines_ += 1 + (size_.columns && line_ ? (line_ - 1) / size_.columns : 0);
    line_ = 0;
    text.remove_prefix(end + 1);
  }
  if (lines_ >= size_.rows) begin();
}

void Pager::tick() {
  if (!holding_ || held_.empty() || steady_clock::now() - first_ < kLive) return;
  holding_ = false;
  pass(held_);
}

void Pager::begin() {
  holding_ = false;
  std::fflush(stdout);
  // The pager has the terminal; an interrupt ends what is still asked for, and nobody else.
  sigaction(SIGINT, nullptr, &before_);
  take_interrupts();
  pipe_ = popen(command_.c_str(), "w");
  if (!pipe_) sigaction(SIGINT, &before_, nullptr);
  pass(held_);
}

bool Pager::is_closed() const { return std::ferror(pipe_ ? pipe_ : stdout) != 0; }

void Pager::finish() {
  if (holding_ && !held_.empty()) pass(held_);
  holding_ = false;
  held_.clear();
  if (!pipe_) return;
  pclose(pipe_);
  pipe_ = nullptr;
  sigaction(SIGINT, &before_, nullptr);
}

}  // namespace sluice::ctl
