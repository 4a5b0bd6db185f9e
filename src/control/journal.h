// SPDX-License-Identifier: Apache-2.0
// The file that keeps what was changed at run time, until the next reboot (/run/sluice/running). A head line, then
// records: "SLJ1", length and CRC-32C of what follows (32 bits each, little-endian), a JournalRecord. A record is
// written before its change is acknowledged; the kernel has it then, so that it outlives the process. A record that a
// crash has torn, or that was damaged, is passed over; reading goes on at the next whole one.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "control/journal.pb.h"
#include "sluice/status.h"
#include "sluice/types.h"

namespace sluice::control {

class SLUICE_API Journal {
 public:
  struct Contents {
    std::vector<JournalRecord> records;
    bool torn = false;               ///< the last record was not whole
    std::uint64_t damaged = 0;       ///< bytes that belong to no whole record, the torn end not counted
    std::uint64_t first_damage = 0;  ///< where they begin
  };
  static constexpr std::uint32_t kRecordMax = 1u << 20;

  /// What a file holds; nothing when there is none. Errors: it cannot be read, or is no journal.
  static StatusOr<Contents> read(const std::string& path);
  /// The same for bytes; path stands in errors.
  static StatusOr<Contents> parse(const std::string& bytes, const std::string& path);

  explicit Journal(std::string path) : path_(std::move(path)) {}
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Replaces the file by one with these records, at once or not at all, and goes on writing behind them.
  Status rewrite(const std::vector<JournalRecord>& records);
  /// Errors leave the file as it was.
  Status append(const std::vector<JournalRecord>& records);
  std::uint64_t bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  int fd_ = -1;
  std::uint64_t bytes_ = 0;
};

}  // namespace sluice::control
