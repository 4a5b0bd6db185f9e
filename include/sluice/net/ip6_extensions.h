// SPDX-License-Identifier: Apache-2.0
// Walks IPv6 extension headers, however hostile, to the upper layer. RFC 8200 section 4, RFC 4302 (authentication).
#pragma once
#include <sluice/net/ip6.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice {

enum class Ip6WalkEnd : std::uint8_t {
  UpperLayer,  ///< protocol and offset say what follows the extension headers
  Fragment,    ///< a fragment that is not the first: what is at offset is the middle of something
  Truncated,   ///< a header reaches beyond the bytes
  TooMany,     ///< more than kIp6WalkMax extension headers
};
inline constexpr unsigned kIp6WalkMax = 8;

struct Ip6Walk {
  Ip6WalkEnd end = Ip6WalkEnd::Truncated;
  std::uint8_t protocol = 0;          ///< of what stands at offset
  bool is_fragment = false;           ///< there was a fragment header
  bool more_fragments = false;        ///< its M bit
  std::uint16_t offset = 0;           ///< from the IPv6 header: of the first byte not walked over
  std::uint16_t next_header_at = 6;   ///< of the byte that names protocol: what a parameter problem points to
  std::uint16_t fragment_at = 0;      ///< of the fragment header; 0: none
  std::uint16_t fragment_offset = 0;  ///< in bytes
  std::uint32_t fragment_id = 0;
};

/// bytes begin with the IPv6 header. At most 65,535 of them are looked at.
inline Ip6Walk walk_ip6_extensions(std::span<const std::uint8_t> bytes) noexcept {
  Ip6Walk walk;
  if (bytes.size() > 0xffff) bytes = bytes.first(0xffff);
  if (bytes.size() < sizeof(Ip6Header)) return walk;
  walk.protocol = bytes[6];
  std::size_t at = sizeof(Ip6Header);
  for (unsigned headers = 0;; ++headers) {
    walk.offset = static_cast<std::uint16_t>(at);
    std::size_t size;
    switch (walk.protocol) {
      case kIpProtocolHopByHop:
      case kIpProtocolRouting:
      case kIpProtocolDestinationOptions:
      case kIpProtocolFragment:
      case kIpProtocolAuthentication:
        if (headers == kIp6WalkMax) {
          walk.end = Ip6WalkEnd::TooMany;
          return walk;
        }
        if (bytes.size() - at < 8) return walk;
        // Words of 8 bytes beyond the first; in an authentication header words of 4 beyond the first two.
        size = walk.protocol == kIpProtocolAuthentication ? (std::size_t{bytes[at + 1]} + 2) * 4
               : walk.protocol == kIpProtocolFragment     ? sizeof(Ip6FragmentHeader)
                                                          : (std::size_t{bytes[at + 1]} + 1) * 8;
        if (size > bytes.size() - at) return walk;
        break;
      default: walk.end = Ip6WalkEnd::UpperLayer; return walk;
    }
    const bool fragment = walk.protocol == kIpProtocolFragment;
    if (fragment) {
      Ip6FragmentHeader header;
      std::memcpy(&header, &bytes[at], sizeof header);
      walk.is_fragment = true;
      walk.more_fragments = (header.offset_more.host() & 1) != 0;
      walk.fragment_offset = header.offset_more.host() & 0xfff8;
      walk.fragment_at = walk.offset;
      walk.fragment_id = header.id.host();
    }
    walk.next_header_at = walk.offset;
    walk.protocol = bytes[at];
    at += size;
    if (fragment && walk.fragment_offset != 0) {
      walk.offset = static_cast<std::uint16_t>(at);
      walk.end = Ip6WalkEnd::Fragment;
      return walk;
    }
  }
}

}  // namespace sluice
