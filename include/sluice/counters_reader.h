// SPDX-License-Identifier: Apache-2.0
// Reads the counters that a running sluiced keeps in shared memory, /run/sluice/counters. The file is mapped read-only:
// neither the daemon nor its workers take part or notice. This header and counters_format.h are all that is needed.
//
//   sluice::CountersReader reader;
//   sluice::CountersSnapshot now;
//   const auto error = reader.read(now);
//   if (error != sluice::CountersError::None) fail(to_string(error));
//   for (const auto& sample : now.samples) use(sample.name, sample.labels, sample.amount());
#pragma once
#include <fcntl.h>
#include <sluice/counters_format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

enum class CountersError : std::uint8_t {
  None,
  Missing,       ///< there is no such file: sluiced does not run, or keeps none
  NotPermitted,  ///< the file belongs to root and one group
  NotCounters,   ///< what is there is something else, or damaged
  OtherVersion,  ///< made by a daemon whose format this reader does not know
  Stale,         ///< not written now: sluiced has died or is stuck, or has yet to start
  Busy,          ///< written each time it was looked at; try again
};

inline std::string_view to_string(CountersError error) {
  switch (error) {
    case CountersError::None: return "no error";
    case CountersError::Missing:
      return "no such file; sluiced does not run, or its configuration says `counters: none`";
    case CountersError::NotPermitted: return "no permission; it is for root and the group of the read-only socket";
    case CountersError::NotCounters: return "this is no counter segment of sluiced, or it is damaged";
    case CountersError::OtherVersion: return "the format is another than this reader's; use the one of that sluiced";
    case CountersError::Stale: return "nobody writes it now; sluiced has died or is stuck, or has yet to start";
    case CountersError::Busy: return "it was being written each time; try again";
  }
  return "";
}

struct CounterSample {
  std::string_view name, labels;  ///< good as long as the snapshot, and until it is read into again
  std::uint64_t value = 0;
  double scale = 1;
  bool grows = false;  ///< a counter; else a gauge
  double amount() const { return static_cast<double>(value) * scale; }
};

namespace counters {

/// A mapped file whose every offset has been checked.
class Mapping {
 public:
  static CountersError open(const char* path, std::shared_ptr<const Mapping>& out) {
    // Whatever lies there, opening it must not wait.
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
      if (errno == ENOENT || errno == ENOTDIR) return CountersError::Missing;
      return errno == EACCES || errno == EPERM ? CountersError::NotPermitted : CountersError::NotCounters;
    }
    std::shared_ptr<Mapping> made(new Mapping(fd));
    const CountersError error = made->map();
    if (error == CountersError::None) out = std::move(made);
    return error;
  }
  ~Mapping() {
    if (base_ != MAP_FAILED) munmap(base_, size_);
    close(fd_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  const Header& header() const { return *static_cast<const Header*>(base_); }
  const std::uint64_t* values() const { return at<std::uint64_t>(header_.values_offset); }
  std::uint32_t count() const { return header_.entries; }
  std::uint64_t generation() const { return header_.generation; }
  /// Without their values.
  const std::vector<CounterSample>& samples() const { return samples_; }
  /// False when somebody has cut the file, and touching it would end this process.
  bool whole() const {
    struct stat now{};
    return fstat(fd_, &now) == 0 && static_cast<std::uint64_t>(now.st_size) >= size_;
  }

 private:
  explicit Mapping(int fd) : fd_(fd) {}
  template <class T>
  const T* at(std::uint64_t offset) const {
    return reinterpret_cast<const T*>(static_cast<const char*>(base_) + offset);
  }
  CountersError map() {
    struct stat found{};
    if (fstat(fd_, &found) != 0 || !S_ISREG(found.st_mode)) return CountersError::NotCounters;
    if (static_cast<std::uint64_t>(found.st_size) < sizeof(Header)) return CountersError::NotCounters;
    size_ = static_cast<std::size_t>(found.st_size);
    base_ = mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd_, 0);
    if (base_ == MAP_FAILED) return CountersError::NotCounters;
    std::memcpy(&header_, base_, sizeof header_);  // what is checked is what is used
    if (std::memcmp(header_.magic, kMagic, sizeof kMagic) != 0) return CountersError::NotCounters;
    if (header_.version != kVersion) return CountersError::OtherVersion;
    return valid() ? CountersError::None : CountersError::NotCounters;
  }
  bool inside(std::uint64_t offset, std::uint64_t count, std::uint64_t each) const {
    return offset % (each > 1 ? 8 : 1) == 0 && offset <= size_ && count <= (size_ - offset) / each;
  }
  bool valid() {
    const Header& h = header_;
    if (h.size != size_ || h.entries > kMostEntries || !inside(h.entries_offset, h.entries, sizeof(Entry)) ||
        !inside(h.strings_offset, h.strings_size, 1) || !inside(h.values_offset, h.entries, sizeof(std::uint64_t)))
      return false;
    for (std::uint32_t i = 0; i < h.entries; ++i) {
      const Entry e = at<Entry>(h.entries_offset)[i];
      if (!in_strings(e.name, e.name_size) || !in_strings(e.labels, e.labels_size)) return false;
      samples_.push_back({text(e.name, e.name_size), text(e.labels, e.labels_size), 0, e.scale, e.grows != 0});
    }
    return true;
  }
  bool in_strings(std::uint32_t offset, std::uint32_t size) const {
    return offset <= header_.strings_size && size <= header_.strings_size - offset;
  }
  std::string_view text(std::uint32_t offset, std::uint32_t size) const {
    return {at<char>(header_.strings_offset + offset), size};
  }

  const int fd_;
  void* base_ = MAP_FAILED;
  std::size_t size_ = 0;
  Header header_{};
  std::vector<CounterSample> samples_;
};

}  // namespace counters

/// What was true at one moment.
struct CountersSnapshot {
  std::uint64_t generation = 0;  ///< the same: names and their order are as before
  std::uint64_t wall_ns = 0;     ///< when it was written
  std::vector<CounterSample> samples;
  std::shared_ptr<const counters::Mapping> names;  ///< what the samples' texts point into
};

/// One thread's; make one for each.
class CountersReader {
 public:
  explicit CountersReader(std::string path = "/run/sluice/counters") : path_(std::move(path)) {}

  /// Fills the snapshot. After an error it is as it was. The file is opened again when it has been replaced.
  CountersError read(CountersSnapshot& out) {
    CountersError error = CountersError::Missing;
    for (int attempt = 0; attempt < kOpens; ++attempt) {
      const bool opened = !mapping_;
      if (opened) error = counters::Mapping::open(path_.c_str(), mapping_);
      if (!mapping_) return error;
      error = copy(out);
      if (error == CountersError::None) return error;
      mapping_.reset();
      // A file that was mapped long ago may have a successor; one that was opened just now has at most been overtaken.
      if (opened && error != CountersError::Missing) return error;
    }
    return error;
  }

 private:
  static constexpr int kOpens = 4;
  static constexpr int kTries = 1000;

  static std::uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
  }
  template <class T>
  static T load(const T& value) {
    return __atomic_load_n(&value, __ATOMIC_RELAXED);
  }
  /// Missing: replaced or ended.
  CountersError copy(CountersSnapshot& out) {
    const counters::Mapping& mapping = *mapping_;
    if (!mapping.whole()) return CountersError::NotCounters;
    const counters::Header& header = mapping.header();
    if (load(header.state) != static_cast<std::uint32_t>(counters::State::Live)) return CountersError::Missing;
    values_.resize(mapping.count());
    std::uint64_t heartbeat = 0, wall = 0;
    int tries = 0;
    for (; tries < kTries; ++tries) {
      const std::uint64_t before = __atomic_load_n(&header.sequence, __ATOMIC_ACQUIRE);
      for (std::uint32_t i = 0; i < mapping.count(); ++i) values_[i] = load(mapping.values()[i]);
      heartbeat = load(header.heartbeat_ns);
      wall = load(header.wall_ns);
      __atomic_thread_fence(__ATOMIC_ACQUIRE);
      if (before % 2 == 0 && load(header.sequence) == before) break;
      if (const timespec nap{0, 1'000'000}; tries % 16 == 15) nanosleep(&nap, nullptr);  // the writer has no CPU
    }
    const std::uint64_t now = now_ns();
    if ((now > heartbeat ? now - heartbeat : heartbeat - now) > counters::kStaleNs) return CountersError::Stale;
    if (tries == kTries) return CountersError::Busy;
    fill(out, wall);
    return CountersError::None;
  }
  void fill(CountersSnapshot& out, std::uint64_t wall) const {
    const counters::Mapping& mapping = *mapping_;
    if (out.names != mapping_) {
      out.names = mapping_;
      out.generation = mapping.generation();
      out.samples = mapping.samples();
    }
    out.wall_ns = wall;
    for (std::uint32_t i = 0; i < mapping.count(); ++i) out.samples[i].value = values_[i];
  }

  const std::string path_;
  std::shared_ptr<const counters::Mapping> mapping_;
  std::vector<std::uint64_t> values_;
};

}  // namespace sluice
