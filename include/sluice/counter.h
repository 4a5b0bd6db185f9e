// SPDX-License-Identifier: Apache-2.0
// A counter that one worker writes and anybody reads: no lock, no read-modify-write instruction, no data race.
#pragma once
#include <atomic>
#include <cstdint>

namespace sluice {

class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void set(std::uint64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace sluice
