// SPDX-License-Identifier: Apache-2.0
// Output on its way to the terminal: through a pager when it is longer than the screen.
#pragma once
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "terminal.h"

namespace sluice::ctl {

/// Text is held back until it is more than a screen, then the pager has it, or until no more comes for a while: then it
/// is live, goes out as it comes, and stays without pager. What does not go to a terminal is never held back.
class Pager {
 public:
  explicit Pager(bool wanted);
  ~Pager() { finish(); }
  Pager(const Pager&) = delete;
  Pager& operator=(const Pager&) = delete;

  void write(std::string_view text);
  /// Time passes.
  void tick();
  /// Nobody reads any more.
  bool is_closed() const;
  /// Waits until the pager has been left.
  void finish();

 private:
  void begin();
  void pass(std::string_view text);

  std::string command_;  // empty: no pager
  bool holding_;
  std::string held_;
  std::size_t lines_ = 0;  // on the screen, of what is held
  std::size_t line_ = 0;   // columns of the last one, as far as it has come
  std::chrono::steady_clock::time_point first_;
  Size size_;
  FILE* pipe_ = nullptr;
  struct sigaction before_{};
};

}  // namespace sluice::ctl
