// SPDX-License-Identifier: Apache-2.0
// The deny list, and the program that reads it: frames are given to it as they stand, without an interface.
#include "deny_list.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <array>
#include <random>
#include <vector>

namespace sluice::af_xdp {
namespace {

using Bytes = std::vector<std::uint8_t>;

IpPrefix prefix(std::string_view text) {
  if (text.find(':') != std::string_view::npos) return *Prefix6::parse(text);
  return *Prefix4::parse(text);
}

/// An Ethernet frame with tags, and an IP header with this source.
Bytes packet_from(const IpAddress& source, const std::vector<std::uint16_t>& tags = {}) {
  Bytes frame(12, 2);
  const auto put = [&](unsigned value) {
    frame.push_back(static_cast<std::uint8_t>(value >> 8));
    frame.push_back(static_cast<std::uint8_t>(value));
  };
  for (const std::uint16_t tag : tags) {
    put(tag);
    put(100);
  }
  put(source.is_ip4() ? 0x0800 : 0x86dd);
  Bytes ip(source.is_ip4() ? 20 : 40);
  ip[0] = source.is_ip4() ? 0x45 : 0x60;
  const auto write = [&](const auto& bytes, std::size_t at) {
    std::copy(bytes.begin(), bytes.end(), ip.begin() + static_cast<std::ptrdiff_t>(at));
  };
  if (source.is_ip4()) {
    write(source.ip4().bytes, 12);
  } else {
    write(source.ip6().bytes, 8);
  }
  frame.insert(frame.end(), ip.begin(), ip.end());
  frame.resize(frame.size() + 20, 0x5a);
  return frame;
}

class DenyListTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to load a BPF program";
    load();
  }
  void load() {
    auto loaded = Filter::load(1, list.maps());
    ASSERT_TRUE(loaded.ok()) << text(loaded.status());
    filter = std::move(*loaded);
    ASSERT_TRUE(list.keep(filter->deny_maps()).ok());
  }
  /// XDP_DROP, or XDP_PASS because no socket is there.
  std::uint32_t verdict(const Bytes& frame) const {
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    EXPECT_EQ(bpf_prog_test_run_opts(filter->program(), &options), 0) << strerror(errno);
    return options.retval;
  }
  std::uint32_t from(std::string_view source, const std::vector<std::uint16_t>& tags = {}) const {
    return verdict(packet_from(*IpAddress::parse(source), tags));
  }
  std::uint64_t packets(std::string_view of) const {
    for (const auto& entry : list.list()) {
      if (entry.prefix == prefix(of)) return entry.packets;
    }
    return ~std::uint64_t{0};
  }

  DenyList list;
  std::unique_ptr<Filter> filter;
};

TEST_F(DenyListTest, DropsDeniedSourcesAndCountsThemByTheLongestPrefix) {
  EXPECT_EQ(from("198.51.100.7"), XDP_PASS) << "the list is empty";
  for (const char* each : {"198.51.100.0/24", "198.51.100.128/25", "2001:db8::/32"})
    ASSERT_TRUE(list.add(prefix(each)).ok());
  EXPECT_EQ(from("198.51.100.7"), XDP_DROP);
  EXPECT_EQ(from("198.51.100.7"), XDP_DROP);
  EXPECT_EQ(from("198.51.100.200"), XDP_DROP);
  EXPECT_EQ(from("198.51.101.7"), XDP_PASS);
  EXPECT_EQ(from("2001:db8:7::1"), XDP_DROP);
  EXPECT_EQ(from("2001:db9::1"), XDP_PASS);
  EXPECT_EQ(packets("198.51.100.0/24"), 2u);
  EXPECT_EQ(packets("198.51.100.128/25"), 1u);
  EXPECT_EQ(packets("2001:db8::/32"), 1u);
}

TEST_F(DenyListTest, LooksBehindTwoTags) {
  ASSERT_TRUE(list.add(prefix("198.51.100.0/24")).ok());
  EXPECT_EQ(from("198.51.100.7", {0x8100}), XDP_DROP);
  EXPECT_EQ(from("198.51.100.7", {0x88a8, 0x8100}), XDP_DROP);
  EXPECT_EQ(from("198.51.100.7", {0x88a8, 0x8100, 0x8100}), XDP_PASS) << "three tags are nobody's";
  EXPECT_EQ(packets("198.51.100.0/24"), 2u);
}

TEST_F(DenyListTest, LetsThroughWhatIsTooShortToTell) {
  ASSERT_TRUE(list.add(prefix("0.0.0.0/0")).ok());
  ASSERT_TRUE(list.add(prefix("::/0")).ok());
  for (const char* source : {"198.51.100.7", "2001:db8::1"}) {
    const Bytes whole = packet_from(*IpAddress::parse(source), {0x8100});
    const std::size_t headers = 18 + (IpAddress::parse(source)->is_ip4() ? 20 : 40);
    for (std::size_t size = 14; size < headers; ++size)
      EXPECT_EQ(verdict(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), XDP_PASS) << size;
    EXPECT_EQ(verdict(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(headers))), XDP_DROP);
  }
}

// The same decision from another reading of the same bytes.
bool is_denied(const Bytes& frame, const std::vector<DenyList::Entry>& list) {
  std::size_t at = 12;
  const auto word = [&](std::size_t i) { return i + 2 <= frame.size() ? frame[i] << 8 | frame[i + 1] : -1; };
  for (int tags = 0; tags < 2 && (word(at) == 0x8100 || word(at) == 0x88a8); ++tags) at += 4;
  IpAddress source;
  if (word(at) == 0x0800 && frame.size() >= at + 22) {
    Ip4Address a;
    std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at + 14), 4, a.bytes.begin());
    source = a;
  } else if (word(at) == 0x86dd && frame.size() >= at + 42) {
    Ip6Address a;
    std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at + 10), 16, a.bytes.begin());
    source = a;
  } else {
    return false;
  }
  return std::any_of(list.begin(), list.end(), [&](const DenyList::Entry& entry) {
    return entry.prefix.address.is_ip4() == source.is_ip4() &&
           IpPrefix::of(source, entry.prefix.length) == entry.prefix;
  });
}

TEST_F(DenyListTest, DecidesOnRandomFramesAsAnotherReaderOfThemDoes) {
  for (const char* each : {"0.0.0.0/2", "64.0.0.0/8", "80.80.80.0/22", "2000::/4", "4040::/10", "8000::/1"})
    ASSERT_TRUE(list.add(prefix(each)).ok());
  const auto entries = list.list();
  std::mt19937 random(7);
  std::size_t dropped = 0;
  constexpr std::array<std::uint16_t, 5> kTypes{0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806};
  for (int i = 0; i < 20000; ++i) {
    Bytes frame(14 + random() % 64);
    for (auto& byte : frame) byte = static_cast<std::uint8_t>(random());
    for (const std::size_t at : {12u, 16u, 20u}) {
      if (at + 2 > frame.size()) continue;
      const std::uint16_t type = kTypes[random() % kTypes.size()];
      frame[at] = static_cast<std::uint8_t>(type >> 8);
      frame[at + 1] = static_cast<std::uint8_t>(type);
    }
    const bool denied = is_denied(frame, entries);
    dropped += denied;
    ASSERT_EQ(verdict(frame), denied ? XDP_DROP : XDP_PASS) << "frame " << i;
  }
  std::uint64_t counted = 0;
  for (const auto& entry : list.list()) counted += entry.packets;
  EXPECT_EQ(counted, dropped);
  EXPECT_GT(dropped, 1000u);
}

TEST_F(DenyListTest, IsTheSameForAllProgramsAndOutlivesThem) {
  ASSERT_TRUE(list.add(prefix("198.51.100.0/24")).ok());
  EXPECT_EQ(from("198.51.100.7"), XDP_DROP);
  filter.reset();
  ASSERT_TRUE(list.add(prefix("203.0.113.0/24")).ok());
  load();
  EXPECT_EQ(from("198.51.100.7"), XDP_DROP);
  EXPECT_EQ(from("203.0.113.7"), XDP_DROP);
  EXPECT_EQ(packets("198.51.100.0/24"), 2u);
}

TEST_F(DenyListTest, KeepsNoMapsThatRefuseItsPrefixesAndWritesAllIntoTheNext) {
  DenyList other;
  ASSERT_TRUE(other.add(prefix("198.51.100.0/24")).ok());
  ASSERT_TRUE(other.add(prefix("2001:db8::/32")).ok());
  auto loaded = Filter::load(1, other.maps());
  ASSERT_TRUE(loaded.ok()) << text(loaded.status());
  filter = std::move(*loaded);
  const auto free_descriptor = [] {
    const int fd = dup(STDERR_FILENO);
    close(fd);
    return fd;
  };
  const int before = free_descriptor();
  DenyMaps wrong = filter->deny_maps();
  wrong.packets = -1;
  EXPECT_FALSE(other.keep(wrong).ok()) << "one cannot be kept";
  wrong = filter->deny_maps();
  wrong.prefixes6 = wrong.sizes;
  EXPECT_FALSE(other.keep(wrong).ok()) << "the second prefix is refused";
  EXPECT_EQ(other.maps().sizes, -1);
  EXPECT_EQ(free_descriptor(), before);
  const Status kept = other.keep(filter->deny_maps());
  ASSERT_TRUE(kept.ok()) << text(kept);
  EXPECT_EQ(from("198.51.100.7"), XDP_DROP);
  EXPECT_EQ(from("2001:db8::1"), XDP_DROP);
}

TEST_F(DenyListTest, WhatIsTakenOffComesThroughAndIsCountedAnewWhenItIsDeniedAgain) {
  ASSERT_TRUE(list.add(prefix("198.51.100.0/24")).ok());
  EXPECT_EQ(from("198.51.100.7"), XDP_DROP);
  ASSERT_TRUE(list.remove(prefix("198.51.100.0/24")).ok());
  EXPECT_EQ(from("198.51.100.7"), XDP_PASS);
  EXPECT_FALSE(list.remove(prefix("198.51.100.0/24")).ok());
  ASSERT_TRUE(list.add(prefix("203.0.113.0/24")).ok());
  EXPECT_EQ(packets("203.0.113.0/24"), 0u) << "its place was another's before";
}

TEST(DenyList, HasABound) {
  DenyList list;
  for (std::uint32_t i = 0; i < DenyList::kMost; ++i) {
    const Ip4Address a(10u << 24 | i << 8);
    ASSERT_TRUE(list.add(Prefix4{a, 24}).ok());
  }
  const Status status = list.add(prefix("198.51.100.0/24"));
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_NE(text(status).find("deny 198.51.100.0/24: 1024 prefixes are denied, the most"), std::string::npos)
      << text(status);
  EXPECT_EQ(list.list().size(), DenyList::kMost);
  ASSERT_TRUE(list.remove(prefix("10.0.7.0/24")).ok());
  EXPECT_TRUE(list.add(prefix("198.51.100.0/24")).ok());
}

TEST_F(DenyListTest, AFullListIsInTheKernelToo) {
  for (std::uint32_t i = 0; i < DenyList::kMost; ++i) {
    const Ip4Address a(10u << 24 | i << 8);
    ASSERT_TRUE(list.add(Prefix4{a, 24}).ok());
  }
  EXPECT_EQ(from("10.3.255.1"), XDP_DROP);
  EXPECT_EQ(from("10.4.0.1"), XDP_PASS);
}

}  // namespace
}  // namespace sluice::af_xdp
