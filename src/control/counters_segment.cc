// SPDX-License-Identifier: Apache-2.0
#include "control/counters_segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "control/process.h"
#include "sluice/clock.h"

namespace sluice::counters {
namespace {

std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

template <class T>
void store(T& place, T value) {
  __atomic_store_n(&place, value, __ATOMIC_RELAXED);
}

/// Entries and strings of a file, put together.
struct Names {
  std::vector<Entry> entries;
  std::string strings;

  std::pair<std::uint32_t, std::uint32_t> add(std::string_view text) {
    const auto offset = static_cast<std::uint32_t>(strings.size());
    strings += text;
    return {offset, static_cast<std::uint32_t>(text.size())};
  }
};

Header header_for(const Names& names) {
  Header h{};
  std::memcpy(h.magic, kMagic, sizeof kMagic);
  h.version = kVersion;
  h.entries = static_cast<std::uint32_t>(names.entries.size());
  h.entries_offset = sizeof(Header);
  h.strings_offset = h.entries_offset + names.entries.size() * sizeof(Entry);
  h.strings_size = names.strings.size();
  h.values_offset = (h.strings_offset + h.strings_size + 7) / 8 * 8;
  h.size = h.values_offset + names.entries.size() * sizeof(std::uint64_t);
  h.pid = static_cast<std::uint32_t>(getpid());
  return h;
}

Status no_file(const std::string& path, std::string_view what) {
  return unavailable("counters {}: cannot be {}: {}; mend that, or choose another path under counters:", path, what,
                     std::strerror(errno));
}

/// A mapped file of a size, for its owner alone.
StatusOr<void*> make_file(const std::string& path, std::size_t size) {
  unlink(path.c_str());
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return no_file(path, "made");
  // Reserved now: a page that cannot be had when it is touched later would end the daemon.
  void* base = MAP_FAILED;
  if (errno = posix_fallocate(fd, 0, static_cast<off_t>(size)); errno == 0)
    base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const Status status = base == MAP_FAILED ? no_file(path, "written") : Status();
  close(fd);
  if (status.ok()) return base;
  unlink(path.c_str());
  return status;
}

/// Readers take nothing of what they have seen when the sequence was odd or has changed meanwhile.
void write_values(void* file, std::span<const std::uint64_t> values) {
  auto& header = *static_cast<Header*>(file);
  auto* place = reinterpret_cast<std::uint64_t*>(static_cast<char*>(file) + header.values_offset);
  const std::uint64_t sequence = header.sequence;
  store(header.sequence, sequence + 1);
  __atomic_thread_fence(__ATOMIC_RELEASE);
  for (const std::uint64_t value : values) store(*place++, value);
  store(header.heartbeat_ns, monotonic_ns());
  store(header.wall_ns, wall_ns());
  __atomic_store_n(&header.sequence, sequence + 2, __ATOMIC_RELEASE);
}

}  // namespace

Segment::~Segment() {
  if (!base_) return;
  let_go(State::Ended);
  unlink(path_.c_str());
}

Status Segment::write(std::span<const metrics::Family> families, const metrics::Sources& sources) {
  if (!collect(families, sources)) {
    learn(families, sources);
    current_ = false;
  }
  if (!current_) {
    if (auto status = replace(); !status.ok()) return status;
    current_ = true;
  }
  write_values(base_, values_);
  return {};
}

/// The values of the rows that are known; false when the samples are others.
bool Segment::collect(std::span<const metrics::Family> families, const metrics::Sources& sources) {
  values_.clear();
  std::size_t count = 0;
  bool same = true;
  for (const metrics::Family& family : families) {
    family.collect(sources, [&](std::span<const std::string_view> labels, std::uint64_t value) {
      if (const std::size_t i = count++; i < rows_.size() && same) {
        const Row& row = rows_[i];
        same = row.family == &family && std::equal(labels.begin(), labels.end(), row.labels.begin(), row.labels.end());
        values_.push_back(value);
      }
    });
  }
  return same && count == rows_.size() + left_out_;
}

void Segment::learn(std::span<const metrics::Family> families, const metrics::Sources& sources) {
  rows_.clear();
  values_.clear();
  left_out_ = 0;
  for (const metrics::Family& family : families) {
    family.collect(sources, [&](std::span<const std::string_view> labels, std::uint64_t value) {
      if (rows_.size() == kMostEntries) {
        ++left_out_;
        return;
      }
      rows_.push_back({&family, {labels.begin(), labels.end()}});
      values_.push_back(value);
    });
  }
}

/// Makes the file beside its place, and puts it there whole.
Status Segment::replace() {
  Names names;
  for (const Row& row : rows_) {
    const std::vector<std::string_view> labels(row.labels.begin(), row.labels.end());
    const auto [name, name_size] = names.add(row.family->name);
    const auto [text, text_size] = names.add(metrics::label_text(*row.family, labels));
    const bool grows = row.family->type == metrics::Type::Counter;
    names.entries.push_back({name, name_size, text, text_size, grows, 0, row.family->scale});
  }
  Header header = header_for(names);
  header.generation = wall_ns();
  header.left_out = left_out_;
  const std::string made = path_ + ".new";
  auto file = make_file(made, header.size);
  if (!file.ok()) return file.status();
  auto* const bytes = static_cast<std::byte*>(*file);
  std::memcpy(bytes, &header, sizeof header);
  std::ranges::copy(std::as_bytes(std::span(names.entries)), bytes + header.entries_offset);
  std::ranges::copy(std::as_bytes(std::span(names.strings)), bytes + header.strings_offset);
  write_values(bytes, values_);
  Status status = group_.empty() ? Status() : process::give_to_group(made, group_);
  if (status.ok() && (chmod(made.c_str(), 0640) != 0 || rename(made.c_str(), path_.c_str()) != 0))
    status = no_file(path_, "put in its place");
  if (!status.ok()) {
    munmap(bytes, header.size);
    unlink(made.c_str());
    return status;
  }
  let_go(State::Replaced);
  base_ = bytes;
  size_ = header.size;
  return {};
}

void Segment::let_go(State state) {
  if (!base_) return;
  store(static_cast<Header*>(base_)->state, static_cast<std::uint32_t>(state));
  munmap(base_, size_);
  base_ = nullptr;
}

}  // namespace sluice::counters
