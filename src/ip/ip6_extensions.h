// SPDX-License-Identifier: Apache-2.0
// Walks IPv6 extension headers up to the upper layer. RFC 8200 section 4.
#pragma once
#include <cstdint>

#include "sluice/net/ip6.h"
#include "sluice/packet.h"

namespace sluice {

struct Ip6UpperLayer {
  bool whole = false;                   ///< every header walked over was there
  bool fragment = false;                ///< there was a fragment header
  bool routing_segments_left = false;   ///< there was a routing header that is not used up
  bool more = false;                    ///< its M bit
  std::uint8_t protocol = 0;            ///< what stands at offset
  std::uint16_t offset = 0;             ///< from packet.data; of the first byte that was not walked over
  std::uint16_t protocol_at = 6;        ///< where the byte stands that names protocol
  std::uint16_t fragment_at = 0;        ///< of the fragment header
  std::uint16_t fragment_named_at = 6;  ///< where the byte stands that says 44
  std::uint16_t fragment_offset = 0;    ///< bytes
};

/// Starts at packet.data, where an IPv6 header of which at least 40 bytes are in the head segment stands. Does not
/// look behind a fragment header of a later fragment. At most eight headers.
inline Ip6UpperLayer find_upper_layer(const Packet& packet) noexcept {
  Ip6UpperLayer result;
  const auto* ip = packet.header<Ip6Header>();
  if (!ip) return result;
  result.protocol = ip->next_header;
  std::size_t at = sizeof(Ip6Header);
  for (int headers = 0; headers < 8; ++headers) {
    result.offset = static_cast<std::uint16_t>(at);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(packet.data) + at;
    switch (result.protocol) {
      case kIpProtocolHopByHop:
      case kIpProtocolRouting:
      case kIpProtocolDestinationOptions: {
        if (at + 8 > packet.length) return result;
        const std::size_t size = (std::size_t{bytes[1]} + 1) * 8;
        if (at + size > packet.length) return result;
        if (result.protocol == kIpProtocolRouting && bytes[3] != 0) result.routing_segments_left = true;
        result.protocol_at = result.offset;
        result.protocol = bytes[0];
        at += size;
        break;
      }
      case kIpProtocolFragment: {
        const auto* fragment = packet.header<Ip6FragmentHeader>(at);
        if (!fragment) return result;
        result.fragment = true;
        result.fragment_at = result.offset;
        result.fragment_named_at = result.protocol_at;
        result.more = fragment->offset_more.host() & 1;
        result.fragment_offset = fragment->offset_more.host() & 0xfff8;
        result.protocol_at = result.offset;
        result.protocol = fragment->next_header;
        at += sizeof(Ip6FragmentHeader);
        if (result.fragment_offset != 0) {
          result.offset = static_cast<std::uint16_t>(at);
          result.whole = true;
          return result;
        }
        break;
      }
      default: result.whole = true; return result;
    }
  }
  return result;
}

}  // namespace sluice
