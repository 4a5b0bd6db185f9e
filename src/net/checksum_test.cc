// SPDX-License-Identifier: Apache-2.0
#include "sluice/net/checksum.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace sluice {
namespace {

// RFC 1071 as it is written, two bytes at a time.
std::uint16_t by_the_book(const std::vector<std::uint8_t>& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i] << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0));
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}
std::vector<std::uint8_t> random_bytes(std::mt19937& random, std::size_t n) {
  std::vector<std::uint8_t> bytes(n);
  for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
  return bytes;
}
std::uint16_t of(const std::vector<std::uint8_t>& bytes) {
  return swap_bytes(checksum_finish(checksum_add(0, bytes.data(), bytes.size())));
}

TEST(Checksum, IsWhatRfc1071SaysForEveryLength) {
  std::mt19937 random(1);
  for (std::size_t n = 0; n < 300; ++n) {
    const auto bytes = random_bytes(random, n);
    EXPECT_EQ(of(bytes), by_the_book(bytes)) << n;
  }
  const std::vector<std::uint8_t> ones(65536, 0xff);
  EXPECT_EQ(of(ones), by_the_book(ones));
}

TEST(Checksum, UpdatesToWhatAFullSumGives) {
  std::mt19937 random(2);
  for (int round = 0; round < 2000; ++round) {
    auto bytes = random_bytes(random, 40);
    const std::uint16_t before = checksum_finish(checksum_add(0, bytes.data(), bytes.size()));
    const std::size_t at = random() % 12 * 2;
    const std::size_t n = 4 + random() % 4 * 4;
    const auto old = bytes;
    for (std::size_t i = 0; i < n; ++i) bytes[at + i] = static_cast<std::uint8_t>(random());
    EXPECT_EQ(checksum_update(before, &old[at], &bytes[at], n),
              checksum_finish(checksum_add(0, bytes.data(), bytes.size())));
    EXPECT_EQ(checksum_update_partial(static_cast<std::uint16_t>(~before), &old[at], &bytes[at], n),
              checksum_fold(checksum_add(0, bytes.data(), bytes.size())));
  }
}

TEST(Checksum, KnowsBothPseudoHeaders) {
  // Worked by hand: 10.0.0.1 > 10.0.0.2, UDP, 8 bytes.
  EXPECT_EQ(swap_bytes(checksum_fold(pseudo_header_sum(Ip4Address(0x0a000001), Ip4Address(0x0a000002), 17, 8))),
            0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 17 + 8);
  EXPECT_EQ(swap_bytes(checksum_fold(
                pseudo_header_sum(*Ip6Address::parse("2001:db8::1"), *Ip6Address::parse("2001:db8::2"), 58, 0x12345))),
            2 * (0x2001 + 0x0db8) + 1 + 2 + 58 + 1 + 0x2345);
}

TEST(Checksum, CompletesAPartialOneAndRefusesFieldsOutside) {
  std::vector<std::uint8_t> packet(20 + 8 + 5, 0x11);
  const auto pseudo = pseudo_header_sum(Ip4Address(0x0a000001), Ip4Address(0x0a000002), 17, 13);
  const std::uint16_t field = checksum_fold(pseudo);
  std::memcpy(&packet[26], &field, 2);
  ASSERT_TRUE(checksum_complete_partial(packet, 20, 6));
  EXPECT_EQ(checksum_fold(checksum_add(pseudo, &packet[20], 13)), 0xffff);

  const auto before = packet;
  for (const auto& [start, offset] : {std::pair<std::size_t, std::size_t>{34, 0},
                                      {33, 0},
                                      {32, 0},
                                      {20, 12},
                                      {20, SIZE_MAX},
                                      {SIZE_MAX, 2},
                                      {SIZE_MAX, SIZE_MAX}}) {
    EXPECT_FALSE(checksum_complete_partial(packet, start, offset)) << start << " " << offset;
  }
  EXPECT_EQ(packet, before);
  EXPECT_TRUE(checksum_complete_partial(packet, 31, 0));
  EXPECT_FALSE(checksum_complete_partial({}, 0, 0));
}

TEST(Checksum, OfUdpIsNeverZero) {
  EXPECT_EQ(checksum_finish(0xffff), 0);
  EXPECT_EQ(checksum_finish_udp(0xffff), 0xffff);
  EXPECT_EQ(checksum_finish_udp(1), 0xfffe);
}

}  // namespace
}  // namespace sluice
