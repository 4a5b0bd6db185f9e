// SPDX-License-Identifier: Apache-2.0
#include "control/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "sluice/net/crc32c.h"

namespace sluice::control {
namespace {

constexpr std::string_view kHead = "sluice journal 1\n";
constexpr std::string_view kMark = "SLJ1";
constexpr std::size_t kFrame = kMark.size() + 2 * sizeof(std::uint32_t);

std::uint32_t word_at(const char* bytes) {
  std::uint32_t word = 0;
  for (int i = 3; i >= 0; --i) word = word << 8 | static_cast<unsigned char>(bytes[i]);
  return word;
}

void put_word(std::string& to, std::uint32_t word) {
  for (int i = 0; i < 4; ++i) to += static_cast<char>(word >> (8 * i) & 0xff);
}

std::uint32_t checksum(std::string_view payload) { return ~crc32c(~0u, payload.data(), payload.size()); }

std::string framed(const std::vector<JournalRecord>& records) {
  std::string bytes;
  for (const auto& record : records) {
    const auto payload = record.SerializeAsString();
    bytes += kMark;
    put_word(bytes, static_cast<std::uint32_t>(payload.size()));
    put_word(bytes, checksum(payload));
    bytes += payload;
  }
  return bytes;
}

Status failed(const std::string& path, const char* what) {
  return unavailable("{}: cannot {}: {}; free space there, or give another file as journal: in the configuration", path,
                     what, std::strerror(errno));
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

/// The record that begins here; its length in the file, or 0 when none does.
std::size_t record_at(std::string_view bytes, std::size_t at, JournalRecord& record) {
  if (bytes.size() - at < kFrame || bytes.substr(at, kMark.size()) != kMark) return 0;
  const auto length = word_at(bytes.data() + at + kMark.size());
  if (length > Journal::kRecordMax || bytes.size() - at - kFrame < length) return 0;
  const auto payload = bytes.substr(at + kFrame, length);
  if (word_at(bytes.data() + at + kMark.size() + 4) != checksum(payload)) return 0;
  return record.ParseFromArray(payload.data(), static_cast<int>(payload.size())) ? kFrame + length : 0;
}

}  // namespace

StatusOr<Journal::Contents> Journal::parse(const std::string& bytes, const std::string& path) {
  Contents contents;
  // A crash may tear the head too; then there was nothing to tear behind it.
  if (kHead.starts_with(bytes)) {
    contents.torn = !bytes.empty() && bytes.size() < kHead.size();
    return contents;
  }
  if (!bytes.starts_with(kHead)) {
    return failed_precondition("{}: is not a journal of this version; move it away, or give another file as journal:",
                               path);
  }
  std::size_t at = kHead.size();
  while (at < bytes.size()) {
    JournalRecord record;
    if (const auto length = record_at(bytes, at, record)) {
      contents.records.push_back(std::move(record));
      at += length;
      continue;
    }
    auto next = at;
    do {
      next = std::min(bytes.find(kMark, next + 1), bytes.size());
    } while (next < bytes.size() && record_at(bytes, next, record) == 0);
    if (next == bytes.size()) {
      contents.torn = true;
      break;
    }
    if (contents.damaged == 0) contents.first_damage = at;
    contents.damaged += next - at;
    at = next;
  }
  return contents;
}

StatusOr<Journal::Contents> Journal::read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return Contents{};
    return failed(path, "read it");
  }
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return parse(bytes.str(), path);
}

Journal::~Journal() {
  if (fd_ >= 0) ::close(fd_);
}

Status Journal::rewrite(const std::vector<JournalRecord>& records) {
  const auto fresh = path_ + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) return failed(fresh, "make it");
  const auto bytes = std::string(kHead) + framed(records);
  if (!write_all(fd, bytes) || ::rename(fresh.c_str(), path_.c_str()) != 0) {
    const auto status = failed(fresh, "write it");
    ::close(fd);
    ::unlink(fresh.c_str());
    return status;
  }
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
  bytes_ = bytes.size();
  return {};
}

Status Journal::append(const std::vector<JournalRecord>& records) {
  const auto bytes = framed(records);
  if (write_all(fd_, bytes)) {
    bytes_ += bytes.size();
    return {};
  }
  const auto status = failed(path_, "write it");
  if (fd_ >= 0) (void)!::ftruncate(fd_, static_cast<off_t>(bytes_));
  return status;
}

}  // namespace sluice::control
