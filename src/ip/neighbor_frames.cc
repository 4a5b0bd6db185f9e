// SPDX-License-Identifier: Apache-2.0
#include "ip/neighbor_frames.h"

#include <cstring>

#include "ip/packet_checksum.h"
#include "sluice/net/append_header.h"
#include "sluice/net/arp.h"
#include "sluice/net/ethernet.h"
#include "sluice/net/icmp.h"
#include "sluice/net/neighbor_options.h"

namespace sluice {
namespace {

template <class... T>
FrameBytes join(const T&... headers) {
  FrameBytes bytes;
  (append_header(bytes, headers), ...);
  return bytes;
}

FrameBytes arp(const MacAddress& our_mac, const Ip4Address& sender, const Ip4Address& target, const MacAddress& to,
               std::uint16_t operation) {
  const MacAddress asked = to == MacAddress::broadcast() ? MacAddress{} : to;
  return join(EthernetHeader{to, our_mac, be16(kEthertypeArp)},
              ArpHeader{be16(ArpHeader::kEthernet), be16(kEthertypeIp4), 6, 4, be16(operation), our_mac, sender, asked,
                        target});
}

// Adds the checksum of an ICMPv6 message that ends the frame.
FrameBytes with_checksum(FrameBytes frame) {
  constexpr std::size_t kIcmp = sizeof(EthernetHeader) + sizeof(Ip6Header);
  const auto& ip = *reinterpret_cast<const Ip6Header*>(frame.data() + sizeof(EthernetHeader));
  const auto length = static_cast<std::uint32_t>(frame.size() - kIcmp);
  const auto sum = checksum_add(pseudo_header_sum(ip, kIpProtocolIcmp6, length), frame.data() + kIcmp, length);
  const auto value = checksum_finish(sum);
  std::memcpy(frame.data() + kIcmp + offsetof(NeighborMessage, checksum), &value, sizeof value);
  return frame;
}

Ip6Header nd_header(const Ip6Address& source, const Ip6Address& destination, std::size_t body) {
  return {be32(6u << 28), be16(static_cast<std::uint16_t>(body)), kIpProtocolIcmp6, 255, source, destination};
}

// RFC 2464 section 7.
MacAddress multicast_mac(const Ip6Address& group) {
  return {{0x33, 0x33, group.bytes[12], group.bytes[13], group.bytes[14], group.bytes[15]}};
}

FrameBytes solicit(const MacAddress& our_mac, const Ip6Address& source, const Ip6Address& target,
                   const Ip6Address& destination, const MacAddress& to) {
  const EthernetHeader ethernet{to, our_mac, be16(kEthertypeIp6)};
  const NeighborMessage message{kIcmp6NeighborSolicitation, 0, be16{}, be32{}, target};
  if (source.is_unspecified())
    return with_checksum(join(ethernet, nd_header(source, destination, sizeof message), message));
  const LinkAddressOption option{LinkAddressOption::kSource, 1, our_mac};
  return with_checksum(join(ethernet, nd_header(source, destination, sizeof message + sizeof option), message, option));
}

}  // namespace

FrameBytes arp_request(const MacAddress& our_mac, const Ip4Address& sender, const Ip4Address& target,
                       const MacAddress& to) {
  return arp(our_mac, sender, target, to, ArpHeader::kRequest);
}

FrameBytes arp_announcement(const MacAddress& our_mac, const Ip4Address& address) {
  return arp(our_mac, address, address, MacAddress::broadcast(), ArpHeader::kRequest);
}

FrameBytes neighbor_solicitation(const MacAddress& our_mac, const Ip6Address& source, const Ip6Address& target) {
  const Ip6Address group = target.solicited_node();
  return solicit(our_mac, source, target, group, multicast_mac(group));
}

FrameBytes neighbor_solicitation(const MacAddress& our_mac, const Ip6Address& source, const Ip6Address& target,
                                 const MacAddress& to) {
  return solicit(our_mac, source, target, target, to);
}

FrameBytes neighbor_advertisement(const MacAddress& our_mac, const Ip6Address& address) {
  constexpr std::uint32_t kOverride = 1u << 29;
  Ip6Address all_nodes;
  all_nodes.bytes = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const NeighborMessage message{kIcmp6NeighborAdvertisement, 0, be16{}, be32(kOverride), address};
  const LinkAddressOption option{LinkAddressOption::kTarget, 1, our_mac};
  return with_checksum(join(EthernetHeader{multicast_mac(all_nodes), our_mac, be16(kEthertypeIp6)},
                            nd_header(address, all_nodes, sizeof message + sizeof option), message, option));
}

Ip6Address link_local_of(const MacAddress& mac) {
  const auto& m = mac.bytes;
  Ip6Address a;
  a.bytes = {0xfe, 0x80, 0,    0,    0,    0,    0,   0, static_cast<std::uint8_t>(m[0] ^ 2),
             m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};
  return a;
}

}  // namespace sluice
