// SPDX-License-Identifier: Apache-2.0
#include "terminal.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "control/text_width.h"

namespace sluice::ctl {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::array kEnds{SIGINT, SIGTERM, SIGHUP};
/// How long a signal may go unnoticed that comes just before the wait.
constexpr milliseconds kLook{50};

struct sigaction setting_the_flag() {
  struct sigaction action{};  // without SA_RESTART: it ends read() and poll()
  action.sa_handler = [](int) { interrupted() = true; };
  return action;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

std::atomic<bool>& interrupted() {
  static std::atomic<bool> flag{false};
  static_assert(std::atomic<bool>::is_always_lock_free);
  return flag;
}

void take_interrupts() {
  const auto action = setting_the_flag();
  sigaction(SIGINT, &action, nullptr);
}

bool output_is_terminal() { return isatty(STDOUT_FILENO) != 0; }

Size output_size() {
  Size size;
  winsize window{};
  if (output_is_terminal() && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0) size = {window.ws_col, window.ws_row};
  if (const char* columns = std::getenv("COLUMNS")) {
    const auto width = std::strtoul(columns, nullptr, 10);
    if (width) size.columns = width;
  }
  return size;
}

Attention::Attention() {
  takes_keys_ = output_is_terminal() && tcgetattr(STDIN_FILENO, &before_) == 0;
  interrupted() = false;
  const auto action = setting_the_flag();
  for (std::size_t i = 0; i < kEnds.size(); ++i) sigaction(kEnds[i], &action, &actions_[i]);
  if (!takes_keys_) return;
  auto keys = before_;
  keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  tcsetattr(STDIN_FILENO, TCSANOW, &keys);
}

Attention::~Attention() {
  if (takes_keys_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  for (std::size_t i = 0; i < kEnds.size(); ++i) sigaction(kEnds[i], &actions_[i], nullptr);
}

bool Attention::wait(steady_clock::time_point until) {
  while (!is_over()) {
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
    if (left.count() <= 0) return true;
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    const auto time = static_cast<int>(std::min(left, kLook).count());
    if (poll(&input, takes_keys_ ? 1 : 0, time) <= 0) continue;
    char key = 0;
    over_ = read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q';
  }
  return false;
}

void Screen::show(std::string_view text) {
  if (!output_is_terminal()) {
    fmt::print("{}{}", any_ ? "\n" : "", text);
  } else {
    const auto size = output_size();
    auto lines = lines_of(text);
    if (size.rows && lines.size() >= size.rows) lines.resize(size.rows - 1);
    const bool resized = any_ && (size.columns != size_.columns || size.rows != size_.rows);
    // Where it was drawn is known only as long as the terminal has not rearranged its lines.
    std::string drawing = resized ? "\x1b[H\x1b[2J" : drawn_ ? fmt::format("\r\x1b[{}A", drawn_) : "";
    for (const auto line : lines)
      drawing += "\x1b[2K" + (size.columns ? control::cut(line, size.columns) : std::string(line)) + "\n";
    fmt::print("{}\x1b[J", drawing);
    drawn_ = lines.size();
    size_ = size;
  }
  any_ = true;
  std::fflush(stdout);
}

}  // namespace sluice::ctl
