// SPDX-License-Identifier: Apache-2.0
// Any request on any method of a daemon is answered; a refused one changes nothing, and no buffer is lost.
// Input: up to 24 calls, each a method, how the request is made, and the bytes it is made of (tests/api).
#include "api_world.h"

namespace {

using sluice::apitest::ApiWorld;

std::unique_ptr<ApiWorld>& world() {
  static auto* const world = new std::unique_ptr<ApiWorld>;
  return *world;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sluice::apitest::run_requests(world(), data, size);
  // Before the statics that the daemon made when it started.
  static const int at_end = std::atexit([] {
    world().reset();
    std::fprintf(stderr, "stat::api_calls: %llu\n", static_cast<unsigned long long>(ApiWorld::tally().calls));
  });
  return at_end == 0 ? 0 : -1;
}
