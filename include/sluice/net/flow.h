// SPDX-License-Identifier: Apache-2.0
// A flow's hash: the same for all packets of a 5-tuple in one direction, so that one path keeps their order.
#pragma once
#include <sluice/net/crc32c.h>
#include <sluice/net/ip4.h>
#include <sluice/net/ip6.h>
#include <sluice/packet.h>

#include <cstdint>
#include <cstring>

namespace sluice {
namespace detail {

inline std::uint32_t hash_ports(const Packet& packet, std::size_t offset, std::uint8_t protocol, bool fragment,
                                std::uint32_t seed) noexcept {
  std::uint32_t ports = 0;
  // All fragments of a packet take one path, and only the first has ports.
  const bool has_ports = protocol == kIpProtocolTcp || protocol == kIpProtocolUdp;
  if (has_ports && !fragment && offset + sizeof ports <= packet.length) {
    std::memcpy(&ports, packet.data + offset, sizeof ports);
  }
  return spread_hash(crc32c_word(seed, std::uint64_t{ports} << 8 | protocol));
}

}  // namespace detail

/// Of a packet whose data is at a checked IPv4 header.
inline std::uint32_t flow_hash4(const Packet& packet) noexcept {
  const auto* ip = reinterpret_cast<const Ip4Header*>(packet.data);
  std::uint64_t addresses;
  std::memcpy(&addresses, &ip->source, sizeof addresses);
  return detail::hash_ports(packet, ip->header_length(), ip->protocol, ip->is_fragment(), crc32c_word(0, addresses));
}

/// Of a packet whose data is at a checked IPv6 header. Extension headers hide the ports; the flow label counts instead
/// (RFC 6438).
inline std::uint32_t flow_hash6(const Packet& packet) noexcept {
  const auto* ip = reinterpret_cast<const Ip6Header*>(packet.data);
  std::uint64_t words[4];
  std::memcpy(words, &ip->source, sizeof words);
  std::uint32_t seed = ip->version_class_flow.host() & 0xfffff;
  for (const std::uint64_t word : words) seed = crc32c_word(seed, word);
  return detail::hash_ports(packet, sizeof(Ip6Header), ip->next_header, false, seed);
}

}  // namespace sluice
