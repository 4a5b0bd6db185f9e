// SPDX-License-Identifier: Apache-2.0
// Random and mutated requests on every method of every service. SLUICE_API_REQUESTS says how many (20,000), and
// SLUICE_API_SEED where to begin (1).
#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "api_world.h"

namespace sluice::apitest {
namespace {

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* given = std::getenv(name);
  return given ? std::strtoull(given, nullptr, 10) : otherwise;
}

TEST(ApiRequests, AnyIsAnsweredAndWhatIsRefusedChangesNothing) {
  const auto wanted = setting("SLUICE_API_REQUESTS", 20'000);
  std::mt19937_64 random(setting("SLUICE_API_SEED", 1));
  const auto& tally = ApiWorld::tally();
  const auto began = std::chrono::steady_clock::now();
  std::unique_ptr<ApiWorld> world;
  while (tally.calls < wanted) {
    std::vector<std::uint8_t> bytes(64 + random() % 1024);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    run_requests(world, bytes.data(), bytes.size());
  }
  world.reset();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("%llu calls in %.1f s: %llu changes, %llu refused, %llu malformed, %llu replies, %llu looks\n",
              static_cast<unsigned long long>(tally.calls), took.count(),
              static_cast<unsigned long long>(tally.changes), static_cast<unsigned long long>(tally.refused),
              static_cast<unsigned long long>(tally.malformed), static_cast<unsigned long long>(tally.replies),
              static_cast<unsigned long long>(tally.looks));
  // Enough of each kind, or the requests have become too good or too bad to find anything.
  EXPECT_GT(tally.changes, wanted / 100);
  EXPECT_GT(tally.refused, wanted / 10);
  EXPECT_GT(tally.malformed, wanted / 200);
  EXPECT_GT(tally.replies, wanted / 10);
}

}  // namespace
}  // namespace sluice::apitest
