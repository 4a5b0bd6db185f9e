// SPDX-License-Identifier: Apache-2.0
// Waits for what other threads bring about.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

namespace sluice::testing {

/// Spins until done(), which is not called again once it was true. The test fails when that takes 20 seconds.
inline void wait_for(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  bool came = done();
  while (!came && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
    came = done();
  }
  EXPECT_TRUE(came) << "what the test waits for has not come in 20 s";
}

}  // namespace sluice::testing
