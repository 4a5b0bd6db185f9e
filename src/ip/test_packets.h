// SPDX-License-Identifier: Apache-2.0
// Packets for the IP layer's unit tests: right in every field until the test spoils one.
#pragma once
#include <cstring>
#include <string_view>
#include <vector>

#include "ip/packet_checksum.h"
#include "sluice/net/arp.h"
#include "sluice/net/ethernet.h"
#include "sluice/net/icmp.h"
#include "sluice/net/udp.h"
#include "sluice/testing/node_test.h"

namespace sluice::testing {

inline Ip4Address ip4(std::string_view text) { return *Ip4Address::parse(text); }
inline Ip6Address ip6(std::string_view text) { return *Ip6Address::parse(text); }
inline MacAddress mac(std::string_view text) { return *MacAddress::parse(text); }

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
template <class T>
Bytes wire(const T& header) {
  Bytes bytes(sizeof header);
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}
template <class T>
T& as(Bytes& bytes, std::size_t offset = 0) {
  EXPECT_LE(offset + sizeof(T), bytes.size());
  return *reinterpret_cast<T*>(bytes.data() + offset);
}
inline Bytes cut(Bytes bytes, std::size_t n) {
  bytes.resize(n);
  return bytes;
}
inline Bytes payload(std::size_t n) {
  Bytes bytes(n);
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + 1);
  return bytes;
}

/// An IPv4 packet; options must be a multiple of 4 bytes.
inline Bytes ip4_packet(std::string_view source, std::string_view destination, std::uint8_t protocol, const Bytes& body,
                        std::uint8_t ttl = 64, std::uint16_t fragment = 0, const Bytes& options = {}) {
  const auto header_words = static_cast<std::uint8_t>(5 + options.size() / 4);
  const Ip4Header header{static_cast<std::uint8_t>(0x40 | header_words),
                         0,
                         be16(static_cast<std::uint16_t>(header_words * 4 + body.size())),
                         be16(std::uint16_t{0x1234}),
                         be16(fragment),
                         ttl,
                         protocol,
                         be16(std::uint16_t{0}),
                         ip4(source),
                         ip4(destination)};
  Bytes packet = wire(header) + options + body;
  set_header_checksum(as<Ip4Header>(packet));
  return packet;
}
inline Bytes ip6_packet(std::string_view source, std::string_view destination, std::uint8_t next_header,
                        const Bytes& body, std::uint8_t hop_limit = 64) {
  return wire(Ip6Header{be32(0x60000000u), be16(static_cast<std::uint16_t>(body.size())), next_header, hop_limit,
                        ip6(source), ip6(destination)}) +
         body;
}
inline Bytes ethernet(std::string_view destination, std::string_view source, std::uint16_t type, const Bytes& body) {
  return wire(EthernetHeader{mac(destination), mac(source), be16(type)}) + body;
}
inline Bytes udp(std::uint16_t source, std::uint16_t destination, const Bytes& body) {
  return wire(UdpHeader{be16(source), be16(destination), be16(static_cast<std::uint16_t>(8 + body.size())),
                        be16(std::uint16_t{0})}) +
         body;
}
/// An ICMP message with its checksum.
inline Bytes icmp(std::uint8_t type, std::uint8_t code, const Bytes& body, std::uint16_t id = 7,
                  std::uint16_t sequence = 1) {
  Bytes bytes = wire(IcmpHeader{type, code, be16(std::uint16_t{0}), be16(id), be16(sequence)}) + body;
  as<IcmpHeader>(bytes).checksum.raw = checksum_finish(checksum_add(0, bytes.data(), bytes.size()));
  return bytes;
}
/// Puts the right checksum into an upper layer of an IPv6 packet at 40, whose checksum field is at `field` from there.
inline Bytes with_checksum6(Bytes packet, std::uint8_t protocol, std::size_t field) {
  const auto length = static_cast<std::uint32_t>(packet.size() - sizeof(Ip6Header));
  as<be16>(packet, sizeof(Ip6Header) + field).raw = 0;
  const auto sum = pseudo_header_sum(as<Ip6Header>(packet), protocol, length);
  as<be16>(packet, sizeof(Ip6Header) + field).raw =
      checksum_finish(checksum_add(sum, packet.data() + sizeof(Ip6Header), length));
  return packet;
}
inline Bytes icmp6_packet(std::string_view source, std::string_view destination, const Bytes& message,
                          std::uint8_t hop_limit = 64) {
  return with_checksum6(ip6_packet(source, destination, kIpProtocolIcmp6, message, hop_limit), kIpProtocolIcmp6, 2);
}

/// Whether the IPv4 header's checksum is right.
inline bool header_checksum_right(const Bytes& packet) {
  return checksum_fold(checksum_add(0, packet.data(), std::size_t{packet[0] & 15u} * 4)) == 0xffff;
}

}  // namespace sluice::testing
