// SPDX-License-Identifier: Apache-2.0
// The Internet checksum. Sums are in the order of the wire's bytes as this machine reads them: what is stored needs no
// swap. RFC 1071, RFC 1624. Everything here is a pure function, safe for any bytes and lengths.
#pragma once
#include <sluice/net/address.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace sluice {

/// Adds n bytes to an unfolded sum, which has room for any that a computer holds.
inline std::uint64_t checksum_add(std::uint64_t sum, const void* bytes, std::size_t n) noexcept {
  const auto* at = static_cast<const unsigned char*>(bytes);
  if (n >= 48) {
    // Two sums of 64-bit words with their carries, which do not wait for each other.
    __extension__ using Wide = unsigned __int128;
    Wide even = 0, odd = 0;
    for (; n >= 16; n -= 16, at += 16) {
      std::uint64_t first, second;
      std::memcpy(&first, at, 8);
      std::memcpy(&second, at + 8, 8);
      even += first;
      odd += second;
    }
    for (const Wide part : {even, odd}) {
      const auto low = static_cast<std::uint64_t>(part), carries = static_cast<std::uint64_t>(part >> 64);
      sum += (low & 0xffffffff) + (low >> 32) + carries;
    }
  }
  for (; n >= 4; n -= 4, at += 4) {
    std::uint32_t word;
    std::memcpy(&word, at, 4);
    sum += word;
  }
  if (n >= 2) {
    std::uint16_t word;
    std::memcpy(&word, at, 2);
    sum += word;
    at += 2;
    n -= 2;
  }
  return n ? sum + *at : sum;
}

/// To 16 bits, not yet complemented.
inline std::uint16_t checksum_fold(std::uint64_t sum) noexcept {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

/// Whether an IPv4 header without options and its checksum sum up to all ones. Of a header that is not all zero.
inline bool ip4_header_sum_ok(const void* bytes) noexcept {
  std::uint64_t sum, second;
  std::uint32_t third;
  std::memcpy(&sum, bytes, sizeof sum);
  std::memcpy(&second, static_cast<const std::byte*>(bytes) + 8, sizeof second);
  std::memcpy(&third, static_cast<const std::byte*>(bytes) + 16, sizeof third);
  sum += __builtin_add_overflow(sum, second, &sum);
  sum += __builtin_add_overflow(sum, std::uint64_t{third}, &sum);
  return sum % 0xffff == 0;  // folding keeps the remainder, and of 16 bits only all ones and zero have none
}

/// What is stored in the field for a sum.
inline std::uint16_t checksum_finish(std::uint64_t sum) noexcept {
  return static_cast<std::uint16_t>(~checksum_fold(sum));
}
/// The same for UDP, where zero means that there is none: RFC 768.
inline std::uint16_t checksum_finish_udp(std::uint64_t sum) noexcept {
  const std::uint16_t value = checksum_finish(sum);
  return value ? value : 0xffff;
}

/// The checksum after a 16-bit word changed, all three as they lie on the wire. RFC 1624 equation 3.
inline std::uint16_t checksum_update(std::uint16_t checksum, std::uint16_t before, std::uint16_t after) noexcept {
  const std::uint64_t sum =
      std::uint64_t{static_cast<std::uint16_t>(~checksum)} + static_cast<std::uint16_t>(~before) + after;
  return static_cast<std::uint16_t>(~checksum_fold(sum));
}
/// The same for n bytes at an even place of what is summed (an address): before and after must not overlap.
inline std::uint16_t checksum_update(std::uint16_t checksum, const void* before, const void* after,
                                     std::size_t n) noexcept {
  const std::uint64_t gone = static_cast<std::uint16_t>(~checksum_fold(checksum_add(0, before, n)));
  return static_cast<std::uint16_t>(
      ~checksum_fold(checksum_add(static_cast<std::uint16_t>(~checksum) + gone, after, n)));
}
/// The same for a folded sum that is not complemented: the pseudo-header sum in the field of a partial checksum.
inline std::uint16_t checksum_update_partial(std::uint16_t sum, const void* before, const void* after,
                                             std::size_t n) noexcept {
  return static_cast<std::uint16_t>(~checksum_update(static_cast<std::uint16_t>(~sum), before, after, n));
}

/// The sum of the pseudo header. length: of the transport header and its payload. RFC 768, RFC 9293 section 3.1.
inline std::uint64_t pseudo_header_sum(const Ip4Address& source, const Ip4Address& destination, std::uint8_t protocol,
                                       std::uint32_t length) noexcept {
  const be32 rest[] = {be32(length), be32(std::uint32_t{protocol})};
  return checksum_add(checksum_add(checksum_add(0, &source, 4), &destination, 4), rest, sizeof rest);
}
/// RFC 8200 section 8.1.
inline std::uint64_t pseudo_header_sum(const Ip6Address& source, const Ip6Address& destination, std::uint8_t protocol,
                                       std::uint32_t length) noexcept {
  const be32 rest[] = {be32(length), be32(std::uint32_t{protocol})};
  return checksum_add(checksum_add(checksum_add(0, &source, 16), &destination, 16), rest, sizeof rest);
}

/// Finishes a partial checksum, as virtio describes one: the sum of everything from start on goes to start + offset,
/// where the folded sum of the pseudo header stands. False, and nothing changed, when the field is not in the packet.
inline bool checksum_complete_partial(std::span<std::uint8_t> packet, std::size_t start, std::size_t offset) noexcept {
  if (start > packet.size() || packet.size() - start < 2 || offset > packet.size() - start - 2) return false;
  // Zero would mean "none" to UDP, and all ones is the same number to the others.
  const std::uint16_t value = checksum_finish_udp(checksum_add(0, packet.data() + start, packet.size() - start));
  std::memcpy(packet.data() + start + offset, &value, sizeof value);
  return true;
}

}  // namespace sluice
