// SPDX-License-Identifier: Apache-2.0
// The Internet checksum and flow hashes over what packets have: an IPv4 header, small and full packets, a super-packet.
#include <benchmark/benchmark.h>

#include <vector>

#include "sluice/net/checksum.h"
#include "sluice/net/flow_key.h"

namespace sluice {
namespace {

std::vector<std::uint8_t> bytes_of(std::size_t n) {
  std::vector<std::uint8_t> bytes(n);
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::uint8_t>(i * 37 + 11);
  return bytes;
}

void checksum(benchmark::State& state) {
  const auto bytes = bytes_of(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(checksum_fold(checksum_add(0, bytes.data(), bytes.size())));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum)->Arg(20)->Arg(64)->Arg(1460)->Arg(65536);

// What RFC 1071 section 4.1 shows, for comparison.
void checksum_by_the_book(benchmark::State& state) {
  const auto bytes = bytes_of(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
      std::uint16_t word;
      std::memcpy(&word, &bytes[i], 2);
      sum += word;
      benchmark::DoNotOptimize(sum);
    }
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    benchmark::DoNotOptimize(sum);
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum_by_the_book)->Arg(1460);

void flow_key_and_hash(benchmark::State& state) {
  auto packet = bytes_of(64);
  packet[0] = state.range(0) == 4 ? 0x45 : 0x60;
  packet[6] = state.range(0) == 4 ? 0 : 6;
  packet[7] = 0;
  packet[9] = 6;
  FlowKey key;
  for (auto _ : state) {
    benchmark::DoNotOptimize(packet.data());
    benchmark::DoNotOptimize(extract_flow(packet, key));
    benchmark::DoNotOptimize(flow_hash(key));
  }
}
BENCHMARK(flow_key_and_hash)->Arg(4)->Arg(6);

}  // namespace
}  // namespace sluice

BENCHMARK_MAIN();
