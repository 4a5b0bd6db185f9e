// SPDX-License-Identifier: Apache-2.0
// Walks IPv6 extension headers, however hostile, to the upper layer. RFC 8200 section 4, RFC 4302 (authentication).
#pragma once
#include <sluice/net/ip6.h>
#include <sluice/packet.h>

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

/// Who wants to know the flow looks behind an authentication header; who delivers the packet must not, before the node
/// that takes that protocol has checked it.
enum class Ip6Authentication : std::uint8_t { WalkOver, IsUpperLayer };

struct Ip6Walk {
  Ip6WalkEnd end = Ip6WalkEnd::Truncated;
  std::uint8_t protocol = 0;            ///< of what stands at offset
  bool is_fragment = false;             ///< there was a fragment header
  bool more_fragments = false;          ///< its M bit
  bool routing_segments_left = false;   ///< there was a routing header that is not used up
  std::uint16_t offset = 0;             ///< from the IPv6 header: of the first byte not walked over
  std::uint16_t next_header_at = 6;     ///< of the byte that names protocol: what a parameter problem points to
  std::uint16_t fragment_at = 0;        ///< of the fragment header; 0: none
  std::uint16_t fragment_named_at = 0;  ///< of the byte that says 44
  std::uint16_t fragment_offset = 0;    ///< in bytes
  std::uint32_t fragment_id = 0;

  /// All headers up to offset were there.
  bool whole() const { return end == Ip6WalkEnd::UpperLayer || end == Ip6WalkEnd::Fragment; }
};

/// bytes begin with the IPv6 header. At most 65,535 of them are looked at.
inline Ip6Walk walk_ip6_extensions(std::span<const std::uint8_t> bytes,
                                   Ip6Authentication authentication = Ip6Authentication::WalkOver) noexcept {
  Ip6Walk walk;
  if (bytes.size() > 0xffff) bytes = bytes.first(0xffff);
  if (bytes.size() < sizeof(Ip6Header)) return walk;
  walk.protocol = bytes[6];
  std::size_t at = sizeof(Ip6Header);
  for (unsigned headers = 0;; ++headers) {
    walk.offset = static_cast<std::uint16_t>(at);
    if (walk.protocol == kIpProtocolAuthentication && authentication == Ip6Authentication::IsUpperLayer) {
      walk.end = Ip6WalkEnd::UpperLayer;
      return walk;
    }
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
      walk.fragment_named_at = walk.next_header_at;
      walk.fragment_id = header.id.host();
    }
    if (walk.protocol == kIpProtocolRouting && bytes[at + 3] != 0) walk.routing_segments_left = true;
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

/// Of a packet whose data is at an IPv6 header, as far as its head segment goes: what this node delivers.
inline Ip6Walk find_upper_layer(const Packet& packet) noexcept {
  return walk_ip6_extensions({reinterpret_cast<const std::uint8_t*>(packet.data), packet.length},
                             Ip6Authentication::IsUpperLayer);
}

}  // namespace sluice
