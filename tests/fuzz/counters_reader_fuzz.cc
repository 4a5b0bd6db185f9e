// SPDX-License-Identifier: Apache-2.0
// A counter segment as its reader finds it: any file is refused, or every text and value of it can be read.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>

#include "sluice/counters_reader.h"

namespace {

using namespace sluice;

std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int fd = memfd_create("counters", MFD_CLOEXEC);
  if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  if (size >= sizeof(counters::Header)) {
    // Written just now: what is behind the heartbeat is to be reached.
    const std::uint64_t even = 2, now = now_ns();
    const auto live = static_cast<std::uint32_t>(counters::State::Live);
    (void)!pwrite(fd, &even, sizeof even, offsetof(counters::Header, sequence));
    (void)!pwrite(fd, &now, sizeof now, offsetof(counters::Header, heartbeat_ns));
    (void)!pwrite(fd, &live, sizeof live, offsetof(counters::Header, state));
  }
  CountersReader reader("/proc/self/fd/" + std::to_string(fd));
  CountersSnapshot snapshot;
  const CountersError error = reader.read(snapshot);
  if (error != CountersError::None && !snapshot.samples.empty()) std::abort();
  volatile std::size_t sum = 0;
  for (const CounterSample& sample : snapshot.samples) {
    for (const char c : sample.name) sum = sum + static_cast<unsigned char>(c);
    for (const char c : sample.labels) sum = sum + static_cast<unsigned char>(c);
    sum = sum + sample.value;
  }
  return 0;
}
