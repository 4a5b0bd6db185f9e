// SPDX-License-Identifier: Apache-2.0
#include "net/flow_packet.h"

#include <cstring>

#include "sluice/net/append_header.h"
#include "sluice/net/checksum.h"
#include "sluice/net/icmp.h"
#include "sluice/net/ip4.h"
#include "sluice/net/ip6.h"
#include "sluice/net/tcp.h"
#include "sluice/net/udp.h"

namespace sluice {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kNoChecksum = ~std::size_t{0}, kSctpHeader = 12;

/// The protocol's own header, and where in it the checksum is.
struct Transport {
  Bytes header;
  std::size_t checksum_at = kNoChecksum;
  bool pseudo_header = true;
};

Transport transport_of(const FlowKey& key) {
  Transport made;
  const be16 source(key.source_port), destination(key.destination_port);
  switch (key.protocol) {
    case kIpProtocolTcp: {
      TcpHeader tcp{};
      tcp.source = source;
      tcp.destination = destination;
      tcp.offset_reserved = sizeof tcp / 4 << 4;
      tcp.flags = TcpHeader::kSyn;
      tcp.window = be16(std::uint16_t{0xffff});
      append_header(made.header, tcp);
      made.checksum_at = offsetof(TcpHeader, checksum);
      break;
    }
    case kIpProtocolUdp:
      append_header(made.header, UdpHeader{source, destination, be16{}, be16{}});
      made.checksum_at = offsetof(UdpHeader, checksum);
      break;
    case kIpProtocolSctp:
      append_header(made.header, source);
      append_header(made.header, destination);
      made.header.resize(kSctpHeader);  // its checksum is nobody's business on the way
      break;
    case kIpProtocolIcmp:
    case kIpProtocolIcmp6: {
      const bool six = key.protocol == kIpProtocolIcmp6;
      append_header(made.header, IcmpHeader{six ? kIcmp6Echo : kIcmpEcho, 0, be16{}, source, be16(std::uint16_t{1})});
      made.checksum_at = offsetof(IcmpHeader, checksum);
      made.pseudo_header = six;  // RFC 792: none
      break;
    }
    default: break;
  }
  return made;
}

void append_ip4(Bytes& bytes, const FlowKey& key, const FlowPacketOptions& options, std::size_t length) {
  Ip4Header ip{};
  ip.version_ihl = 0x45;
  ip.total_length = be16(static_cast<std::uint16_t>(length));
  ip.fragment = be16(options.dont_fragment ? Ip4Header::kDontFragment : std::uint16_t{0});
  ip.ttl = options.ttl;
  ip.protocol = key.protocol;
  std::memcpy(&ip.source, key.source.data(), sizeof ip.source);
  std::memcpy(&ip.destination, key.destination.data(), sizeof ip.destination);
  ip.checksum.raw = checksum_finish(checksum_add(0, &ip, sizeof ip));
  append_header(bytes, ip);
}

void append_ip6(Bytes& bytes, const FlowKey& key, const FlowPacketOptions& options, std::size_t length) {
  Ip6Header ip{};
  ip.version_class_flow = be32(6u << 28);
  ip.payload_length = be16(static_cast<std::uint16_t>(length - sizeof ip));
  ip.next_header = key.protocol;
  ip.hop_limit = options.ttl;
  ip.source.bytes = key.source;
  ip.destination.bytes = key.destination;
  append_header(bytes, ip);
}

std::uint64_t pseudo_sum(const FlowKey& key, std::uint32_t length) {
  const IpAddress source = key.source_address(), destination = key.destination_address();
  return key.is_ip6 ? pseudo_header_sum(source.ip6(), destination.ip6(), key.protocol, length)
                    : pseudo_header_sum(source.ip4(), destination.ip4(), key.protocol, length);
}

}  // namespace

StatusOr<std::vector<std::uint8_t>> make_flow_packet(const FlowKey& key, const FlowPacketOptions& options) {
  const Transport transport = transport_of(key);
  const std::size_t header = key.is_ip6 ? sizeof(Ip6Header) : sizeof(Ip4Header);
  const std::size_t least = header + transport.header.size();
  const std::size_t most = key.is_ip6 ? sizeof(Ip6Header) + 0xffff : 0xffff;
  const std::size_t length = options.length ? options.length : least;
  if (length < least || length > most)
    return refused("length {}: this packet's headers take {} bytes, and it has at most {}", length, least, most);
  if (key.is_ip6 && options.dont_fragment)
    return refused("dont-fragment: IPv6 has no such bit; a router never fragments an IPv6 packet");
  Bytes bytes;
  bytes.reserve(length);
  if (key.is_ip6) {
    append_ip6(bytes, key, options, length);
  } else {
    append_ip4(bytes, key, options, length);
  }
  bytes.insert(bytes.end(), transport.header.begin(), transport.header.end());
  bytes.resize(length);
  const std::size_t rest = length - header;
  if (key.protocol == kIpProtocolUdp) {
    const be16 udp_length(static_cast<std::uint16_t>(rest));
    std::memcpy(&bytes[header + offsetof(UdpHeader, length)], &udp_length, sizeof udp_length);
  }
  if (transport.checksum_at == kNoChecksum) return bytes;
  std::uint64_t sum = transport.pseudo_header ? pseudo_sum(key, static_cast<std::uint32_t>(rest)) : 0;
  sum = checksum_add(sum, &bytes[header], rest);
  const std::uint16_t value = key.protocol == kIpProtocolUdp ? checksum_finish_udp(sum) : checksum_finish(sum);
  std::memcpy(&bytes[header + transport.checksum_at], &value, sizeof value);
  return bytes;
}

}  // namespace sluice
