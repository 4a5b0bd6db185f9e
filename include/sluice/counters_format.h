// SPDX-License-Identifier: Apache-2.0
// The file in which sluiced keeps its counters for others: header, entries, strings, values. Numbers are the machine's
// own. A file's entries and strings never change: when an interface comes or goes, another file takes its place, and
// the old one says so. Only the values and the second half of the header are written again and again.
#pragma once
#include <cstdint>

namespace sluice::counters {

inline constexpr char kMagic[8] = {'S', 'L', 'U', 'I', 'C', 'E', 'C', 'T'};
/// Raised when an old reader could not read the file.
inline constexpr std::uint32_t kVersion = 1;
/// A file has at most so many entries.
inline constexpr std::uint32_t kMostEntries = 1u << 17;
/// What is written less often belongs to a daemon that has ended or is stuck; it writes four times a second.
inline constexpr std::uint64_t kStaleNs = 3'000'000'000;

enum class State : std::uint32_t { Live, Replaced, Ended };

struct Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t entries;         ///< how many, and so many values
  std::uint64_t size;            ///< of the file
  std::uint64_t entries_offset;  ///< in the file; of Entry, each
  std::uint64_t strings_offset, strings_size;
  std::uint64_t values_offset;  ///< of std::uint64_t, each
  std::uint64_t generation;     ///< another one in each file
  std::uint32_t pid;            ///< of the daemon
  std::uint32_t left_out;       ///< samples that found no place

  // Written again and again.
  std::uint64_t sequence;      ///< odd while values are written; grows by two with each write
  std::uint64_t heartbeat_ns;  ///< CLOCK_MONOTONIC of the last write
  std::uint64_t wall_ns;       ///< the same since 1970
  std::uint32_t state;         ///< State
  std::uint32_t reserved;
};
static_assert(sizeof(Header) == 104);

struct Entry {
  std::uint32_t name, name_size;      ///< offset in the strings, and length
  std::uint32_t labels, labels_size;  ///< `a="1",b="2"`, escaped as in Prometheus' text
  std::uint32_t grows;                ///< 1: a counter; 0: a gauge
  std::uint32_t reserved;
  double scale;  ///< a value times this is in the name's unit
};
static_assert(sizeof(Entry) == 32);

}  // namespace sluice::counters
