// SPDX-License-Identifier: Apache-2.0
// The terminal that sluicectl runs on: its size, its interrupts and keys, and text that is redrawn in place.
#pragma once
#include <signal.h>
#include <termios.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

namespace sluice::ctl {

/// Whether Ctrl-C has been pressed since it was set to false, and take_interrupts() called.
std::atomic<bool>& interrupted();
/// From now on an interrupt sets the flag and ends what waits; it does not end the program.
void take_interrupts();

/// 0: no limit.
struct Size {
  std::size_t columns = 0;
  std::size_t rows = 0;
};
/// Of what stdout goes to: COLUMNS, else the terminal's width; rows of a terminal only.
Size output_size();
bool output_is_terminal();

/// While it lives, interrupts and signals to end set the flag, and on a terminal keys are read one by one, unseen.
class Attention {
 public:
  Attention();
  ~Attention();
  Attention(const Attention&) = delete;
  Attention& operator=(const Attention&) = delete;
  /// False when it is to end before that: an interrupt, or the key q.
  bool wait(std::chrono::steady_clock::time_point until);
  bool is_over() const { return over_ || interrupted(); }

 private:
  bool takes_keys_ = false;
  bool over_ = false;
  termios before_{};
  std::array<struct sigaction, 3> actions_{};
};

/// Text that takes the place of the text before it on a terminal, cut to what fits; elsewhere each follows the last one
/// behind an empty line.
class Screen {
 public:
  void show(std::string_view text);

 private:
  std::size_t drawn_ = 0;  // lines
  bool any_ = false;
  Size size_;
};

}  // namespace sluice::ctl
