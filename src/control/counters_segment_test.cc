// SPDX-License-Identifier: Apache-2.0
#include "control/counters_segment.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <fstream>
#include <thread>

#include "control/exports_fixture.h"
#include "sluice/counters_reader.h"
#include "sluice/testing/wait_for.h"

namespace sluice::counters {
namespace {

using metrics::Emit;
using metrics::Family;
using metrics::Sources;
using testing::wait_for;

// What the test's own metrics say: so many samples, all of this value.
std::atomic<std::uint64_t> value{0};
std::atomic<std::size_t> samples{0};

void equal_samples(const Sources&, const Emit& emit) {
  for (std::size_t i = 0; i < samples; ++i) {
    const std::string name = "n" + std::to_string(i);
    emit(std::array<std::string_view, 1>{name}, value);
  }
}
const std::vector<Family> kEqual = {{"first_total", "A.", metrics::Type::Counter, {"name"}, equal_samples},
                                    {"second_seconds", "B.", metrics::Type::Gauge, {"name"}, equal_samples, 1e-9}};

struct SegmentTest : testing::ExportsTest {
  void write(std::size_t count, std::uint64_t each, std::span<const Family> families = kEqual) {
    samples = count;
    value = each;
    const Status written = segment->write(families, sources());
    EXPECT_TRUE(written.ok()) << text(written);
  }
  CountersError read() { return reader.read(snapshot); }
  /// The file as bytes, and a file of bytes.
  std::string bytes() const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  CountersError read_bytes(const std::string& content) const {
    const std::string other = folder.file("other");
    std::ofstream(other, std::ios::binary) << content;
    CountersReader strange(other);
    CountersSnapshot nothing;
    const CountersError error = strange.read(nothing);
    EXPECT_TRUE(error == CountersError::None || nothing.samples.empty());
    return error;
  }
  template <class Change>
  CountersError read_changed(Change change) const {
    std::string content = bytes();
    Header header;
    std::memcpy(&header, content.data(), sizeof header);
    change(header);
    std::memcpy(content.data(), &header, sizeof header);
    return read_bytes(content);
  }

  const std::string path = folder.file("counters");
  std::unique_ptr<Segment> segment = std::make_unique<Segment>(path, "");
  CountersReader reader{path};
  CountersSnapshot snapshot;
};

TEST_F(SegmentTest, IsReadAsItWasWritten) {
  write(2, 1'500'000'000);
  ASSERT_EQ(read(), CountersError::None);
  ASSERT_EQ(snapshot.samples.size(), 4u);
  const CounterSample& first = snapshot.samples[1];
  EXPECT_EQ(first.name, "first_total");
  EXPECT_EQ(first.labels, "name=\"n1\"");
  EXPECT_EQ(first.value, 1'500'000'000u);
  EXPECT_TRUE(first.grows);
  const CounterSample& second = snapshot.samples[2];
  EXPECT_EQ(second.name, "second_seconds");
  EXPECT_DOUBLE_EQ(second.amount(), 1.5);
  EXPECT_FALSE(second.grows);
  struct stat found{};
  ASSERT_EQ(stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777u, 0640u);
}

TEST_F(SegmentTest, HoldsTheMetricsOfTheNode) {
  write(0, 0, metrics::families());
  ASSERT_EQ(read(), CountersError::None);
  std::size_t wanted = 0;
  for (const Family& family : metrics::families()) family.collect(sources(), [&](auto, auto) { ++wanted; });
  EXPECT_EQ(snapshot.samples.size(), wanted);
}

TEST_F(SegmentTest, NewValuesComeInTheSameFileAndNewNamesInAnother) {
  write(3, 1);
  ASSERT_EQ(read(), CountersError::None);
  const std::uint64_t generation = snapshot.generation;
  write(3, 2);
  ASSERT_EQ(read(), CountersError::None);
  EXPECT_EQ(snapshot.generation, generation);
  EXPECT_EQ(snapshot.samples[5].value, 2u);
  write(4, 3);
  ASSERT_EQ(read(), CountersError::None);
  EXPECT_NE(snapshot.generation, generation);
  ASSERT_EQ(snapshot.samples.size(), 8u);
  EXPECT_EQ(snapshot.samples[7].labels, "name=\"n3\"");
  write(0, 0);
  ASSERT_EQ(read(), CountersError::None);
  EXPECT_TRUE(snapshot.samples.empty());
}

TEST_F(SegmentTest, AFullSegmentCountsWhatItLeavesOut) {
  write(kMostEntries / 2 + 5, 7);
  ASSERT_EQ(read(), CountersError::None);
  EXPECT_EQ(snapshot.samples.size(), kMostEntries);
  const std::uint64_t generation = snapshot.generation;
  EXPECT_EQ(read_changed([](Header& h) { EXPECT_EQ(h.left_out, 10u); }), CountersError::None);
  write(kMostEntries / 2 + 5, 8);
  ASSERT_EQ(read(), CountersError::None);
  EXPECT_EQ(snapshot.generation, generation);
  EXPECT_EQ(snapshot.samples.back().value, 8u);
}

TEST_F(SegmentTest, NeverGivesValuesOfTwoMoments) {
  write(50, 1);
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> read_well{0}, renamed{0};
  const auto watch = [&] {
    CountersReader own(path);
    CountersSnapshot seen;
    std::uint64_t generation = 0, last = 0;
    while (!done) {
      const CountersError error = own.read(seen);
      if (error == CountersError::Busy) continue;
      if (error != CountersError::None) {
        ADD_FAILURE() << to_string(error);
        return;
      }
      ++read_well;
      renamed += std::exchange(generation, seen.generation) != seen.generation ? 1 : 0;
      const std::uint64_t all = seen.samples.at(0).value;
      // The writer makes as many samples as the value's last digits say.
      EXPECT_EQ(seen.samples.size(), 2 * (50 + all / 100 % 3));
      for (const CounterSample& sample : seen.samples) EXPECT_EQ(sample.value, all);
      EXPECT_GE(all, std::exchange(last, all));
      if (::testing::Test::HasFailure()) return;
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back(watch);
  for (std::uint64_t each = 1; each < 20'000 || read_well < 1000; ++each) {
    write(50 + each / 100 % 3, each);
    if (HasFailure()) break;
  }
  done = true;
  for (std::thread& thread : readers) thread.join();
  EXPECT_GT(read_well, 0u);
  EXPECT_GT(renamed, 3u) << "no reader has seen a new file";
}

TEST_F(SegmentTest, ADaemonThatHasEndedIsGone) {
  EXPECT_EQ(read(), CountersError::Missing);
  write(3, 1);
  ASSERT_EQ(read(), CountersError::None);
  segment.reset();
  EXPECT_EQ(read(), CountersError::Missing);
  EXPECT_EQ(snapshot.samples.size(), 6u) << "an error leaves the snapshot";
}

TEST_F(SegmentTest, ADeadDaemonsFileIsStaleUntilAnotherComes) {
  write(3, 1);
  const auto age = [](Header& h) { h.heartbeat_ns -= kStaleNs + 1; };
  EXPECT_EQ(read_changed(age), CountersError::Stale);
  EXPECT_EQ(read_changed([&](Header& h) {
              age(h);
              ++h.sequence;  // it died while it wrote
            }),
            CountersError::Stale);
  EXPECT_EQ(read_changed([](Header& h) { h.heartbeat_ns += 2 * kStaleNs; }), CountersError::Stale) << "of another boot";
  EXPECT_EQ(read_changed([](Header& h) { ++h.sequence; }), CountersError::Busy);
  // The reader has the dead one's file mapped when the next daemon puts its own there.
  const std::string left = folder.file("other");
  EXPECT_EQ(read_bytes(bytes()), CountersError::None);
  CountersReader waits(left);
  EXPECT_EQ(waits.read(snapshot), CountersError::None);
  Header header;
  std::fstream file(left, std::ios::binary | std::ios::in | std::ios::out);
  file.read(reinterpret_cast<char*>(&header), sizeof header);
  age(header);
  file.seekp(0);
  file.write(reinterpret_cast<const char*>(&header), sizeof header).flush();
  std::filesystem::rename(path, left);
  EXPECT_EQ(waits.read(snapshot), CountersError::None);
}

TEST_F(SegmentTest, HostileFilesAreRefused) {
  write(3, 1);
  const std::string whole = bytes();
  EXPECT_EQ(read_bytes(whole), CountersError::None);
  for (std::size_t n = 0; n < whole.size(); ++n)
    ASSERT_EQ(read_bytes(whole.substr(0, n)), CountersError::NotCounters) << n;
  EXPECT_EQ(read_bytes(whole + "x"), CountersError::NotCounters);
  EXPECT_EQ(read_bytes(std::string(4096, 'x')), CountersError::NotCounters);
  EXPECT_EQ(read_changed([](Header& h) { ++h.version; }), CountersError::OtherVersion);
  const std::vector<void (*)(Header&)> wrong = {
      [](Header& h) { h.magic[0] = 'x'; },
      [](Header& h) { h.entries = kMostEntries; },
      [](Header& h) { h.entries = ~0u; },
      [](Header& h) { h.size = ~std::uint64_t{0}; },
      [](Header& h) { h.entries_offset = h.size; },
      [](Header& h) { h.entries_offset += 4; },
      [](Header& h) { h.entries_offset = ~std::uint64_t{7}; },
      [](Header& h) { h.strings_offset = ~std::uint64_t{0}; },
      [](Header& h) { h.strings_size = ~std::uint64_t{0}; },
      [](Header& h) { h.strings_size = 1; },
      [](Header& h) { h.values_offset = h.size - 8; },
      [](Header& h) { h.values_offset = ~std::uint64_t{7}; },
      [](Header& h) { h.values_offset += 1; },
  };
  for (std::size_t i = 0; i < wrong.size(); ++i) EXPECT_EQ(read_changed(wrong[i]), CountersError::NotCounters) << i;
}

TEST_F(SegmentTest, WhatIsNoFileIsRefusedAtOnce) {
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(read(), CountersError::NotCounters);
  CountersReader of_folder(folder.path().string());
  EXPECT_EQ(of_folder.read(snapshot), CountersError::NotCounters);
}

TEST_F(SegmentTest, AFileThatIsCutUnderAReaderIsNotTouched) {
  write(3, 1);
  ASSERT_EQ(read(), CountersError::None);
  ASSERT_EQ(::truncate(path.c_str(), 64), 0);
  EXPECT_EQ(read(), CountersError::NotCounters);
}

TEST_F(SegmentTest, AFolderThatIsMissingIsNamedAndMended) {
  const std::string other = folder.file("missing/counters");
  segment = std::make_unique<Segment>(other, "");
  samples = 1;
  const std::string said = text(segment->write(kEqual, sources()));
  EXPECT_NE(said.find("counters " + other + ".new: cannot be made: No such file"), said.npos) << said;
  std::filesystem::create_directory(folder.file("missing"));
  EXPECT_TRUE(segment->write(kEqual, sources()).ok());
}

}  // namespace
}  // namespace sluice::counters
