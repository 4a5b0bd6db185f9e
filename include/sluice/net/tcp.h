// SPDX-License-Identifier: Apache-2.0
// TCP on the wire. RFC 9293 section 3.1:
//
//   |          source port          |       destination port        |
//   |                        sequence number                        |
//   |                    acknowledgement number                     |
//   | offset|  rsv  |C E U A P R S F|            window             |
//   |           checksum            |        urgent pointer         |
//   |                      options, padded to 4                     |
#pragma once
#include <sluice/net/endian.h>

namespace sluice {

struct TcpHeader {
  static constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08;
  static constexpr std::uint8_t kAck = 0x10, kUrg = 0x20, kEce = 0x40, kCwr = 0x80;

  be16 source, destination;
  be32 sequence, acknowledgement;
  std::uint8_t offset_reserved;  ///< header length in words: the upper four bits
  std::uint8_t flags;
  be16 window, checksum, urgent;

  /// With options, in bytes; below 20 in a packet that lies.
  std::size_t header_length() const { return std::size_t{offset_reserved} >> 4 << 2; }
};
static_assert(sizeof(TcpHeader) == 20 && alignof(TcpHeader) == 1);

/// Kinds of options: RFC 9293 section 3.2, RFC 7323, RFC 2018.
inline constexpr std::uint8_t kTcpOptionEnd = 0, kTcpOptionNop = 1, kTcpOptionMss = 2, kTcpOptionWindowScale = 3;
inline constexpr std::uint8_t kTcpOptionSackPermitted = 4, kTcpOptionSack = 5, kTcpOptionTimestamps = 8;

}  // namespace sluice
