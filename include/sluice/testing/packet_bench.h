// SPDX-License-Identifier: Apache-2.0
// What benchmarks of kernels share: packets spread over a pool, and the counters cycles_per_packet (TSC) and Mpps.
#pragma once
#include <benchmark/benchmark.h>
#include <sluice/clock.h>
#include <sluice/testing/test_world.h>

#include <random>
#include <vector>

namespace sluice::testing {

/// Times a body that handles a number of packets each iteration.
class PacketTimer {
 public:
  explicit PacketTimer(benchmark::State& state) : state_(state) {}
  template <class F>
  void run(std::size_t packets, F&& body) {
    const std::uint64_t before = tsc();
    body();
    cycles_ += tsc() - before;
    packets_ += packets;
  }
  ~PacketTimer() {
    if (packets_ == 0) return;
    state_.counters["cycles_per_packet"] = static_cast<double>(cycles_) / static_cast<double>(packets_);
    state_.counters["Mpps"] =
        static_cast<double>(packets_) / (static_cast<double>(cycles_) / static_cast<double>(tsc_hz())) / 1e6;
  }

 private:
  benchmark::State& state_;
  std::uint64_t cycles_ = 0, packets_ = 0;
};

/// count packets of these bytes, in an order that the hardware prefetcher does not guess.
inline std::vector<Packet*> spread_packets(TestWorld& world, const Bytes& bytes, std::size_t count) {
  std::vector<Packet*> packets;
  for (std::size_t i = 0; i < count; ++i) packets.push_back(world.make(bytes));
  std::shuffle(packets.begin(), packets.end(), std::mt19937(1));
  return packets;
}

}  // namespace sluice::testing
