// SPDX-License-Identifier: Apache-2.0
// Tells a worker that is stuck from one that is busy, asleep, or gets no CPU: what the watchdog decides by.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>

namespace sluice::watchdog {

using std::chrono::nanoseconds;

/// How often each worker is looked at.
inline constexpr std::chrono::milliseconds kPeriod{50};
/// This much of its own time without a heartbeat, and a worker is stuck. Since time counts from the first look at a
/// heartbeat on, and looks may be late, the heartbeat is 350 to 450 ms old then.
inline constexpr std::chrono::milliseconds kStuck{350};
/// Silent for so long without having had that much time, it is starved.
inline constexpr std::chrono::milliseconds kStarved{450};
/// What one look may add at most: whoever looks late was stopped or starved himself, and the worker with him.
inline constexpr std::chrono::milliseconds kMost{100};

/// What is seen of a worker at one look.
struct Sighting {
  nanoseconds now{};            ///< of a clock that never goes back
  std::uint64_t heartbeat = 0;  ///< another one after each pass
  bool asleep = false;          ///< waits for packets; nothing below is known then
  nanoseconds ran{};            ///< CPU time that its thread has ever had
  nanoseconds waited{};         ///< how long it was ready to run and did not
  bool blocked = false;         ///< it is in a system call that waits
};

enum class Finding : std::uint8_t { Well, Starved, Spins, Blocks };

/// One worker's progress from look to look.
class Progress {
 public:
  /// Starved is said once for each silence.
  Finding look(const Sighting& seen) {
    const bool again = silent_at(seen.heartbeat, seen.asleep);
    const Sighting before = last_;
    last_ = seen;
    if (!again) {
      known_ = true;
      said_ = false;
      since_ = seen.now;
      ran_ = blocked_ = {};
      return Finding::Well;
    }
    count(before, seen);
    if (ran_ + blocked_ >= kStuck) return ran_ >= blocked_ ? Finding::Spins : Finding::Blocks;
    if (said_ || silent() < kStarved) return Finding::Well;
    said_ = true;
    return Finding::Starved;
  }
  /// Whether there was no heartbeat since the last look, and the worker awake all the while.
  bool silent_at(std::uint64_t heartbeat, bool asleep) const {
    return known_ && !asleep && !last_.asleep && heartbeat == last_.heartbeat;
  }
  /// Since its heartbeat was first seen.
  nanoseconds silent() const { return last_.now - since_; }
  /// CPU time in this silence.
  nanoseconds ran() const { return ran_; }

 private:
  void count(const Sighting& before, const Sighting& seen) {
    const nanoseconds passed = std::min<nanoseconds>(seen.now - before.now, kMost);
    const nanoseconds ran = std::min(seen.ran - before.ran, passed);
    ran_ += ran;
    if (seen.blocked) blocked_ += std::max(passed - ran - (seen.waited - before.waited), nanoseconds::zero());
  }
  bool known_ = false, said_ = false;
  Sighting last_;
  nanoseconds since_{}, ran_{}, blocked_{};
};

}  // namespace sluice::watchdog
