// SPDX-License-Identifier: Apache-2.0
#include "control/packet_words.h"

#include <fmt/format.h>

#include <cstring>

#include "sluice/net/arp.h"
#include "sluice/net/ethernet.h"
#include "sluice/net/flow_key.h"
#include "sluice/net/icmp.h"
#include "sluice/net/ip4.h"
#include "sluice/net/ip6_extensions.h"

namespace sluice::control {
namespace {

using Bytes = std::span<const std::uint8_t>;

template <class Header>
bool read(Bytes bytes, std::size_t at, Header& header) {
  if (bytes.size() < at || bytes.size() - at < sizeof header) return false;
  std::memcpy(&header, &bytes[at], sizeof header);
  return true;
}

/// Behind the Ethernet header and its tags.
Bytes network_part(Bytes frame, std::uint16_t& type) {
  EthernetHeader ethernet;
  if (!read(frame, 0, ethernet)) return {};
  std::size_t at = sizeof ethernet;
  type = ethernet.type.host();
  for (VlanTag tag; (type == kEthertypeVlan || type == kEthertypeQinQ) && read(frame, at, tag);) {
    type = tag.type.host();
    at += sizeof tag;
  }
  return frame.subspan(at);
}

std::string arp_words(Bytes bytes) {
  ArpHeader arp;
  if (!read(bytes, 0, arp)) return "ARP, cut off";
  if (arp.operation.host() == ArpHeader::kReply)
    return fmt::format("ARP reply, {} is at {}", arp.sender, arp.sender_mac);
  return fmt::format("ARP request, who has {}? tell {}", arp.target, arp.sender);
}

/// What stands behind the flow's name: nothing, but for ICMP.
std::string message_words(Bytes packet, const FlowKey& key) {
  const bool ip6 = key.protocol == kIpProtocolIcmp6;
  if (key.is_fragment || (key.protocol != kIpProtocolIcmp && !ip6)) return {};
  const std::size_t at = key.is_ip6 ? walk_ip6_extensions(packet).offset : (packet[0] & 15u) * 4u;
  IcmpHeader icmp;
  if (!read(packet, at, icmp)) return {};
  const std::uint32_t rest = std::uint32_t{icmp.id.host()} << 16 | icmp.sequence.host();
  return ", " + icmp_words(ip6, icmp.type, icmp.code, rest);
}

std::string mtu_words(std::uint32_t mtu) { return mtu ? fmt::format(", MTU {}", mtu) : ""; }

std::string unreachable_words(bool ip6, std::uint8_t code, std::uint32_t rest) {
  if (ip6) {
    switch (code) {
      case 0: return "no route to the destination";
      case 1: return "prohibited";
      case 2: return "beyond the scope of the source address";
      case 3: return "address unreachable";
      case 4: return "port unreachable";
      default: return {};
    }
  }
  switch (code) {
    case 0: return "net unreachable";
    case 1: return "host unreachable";
    case 2: return "protocol unreachable";
    case 3: return "port unreachable";
    case 4: return "fragmentation needed" + mtu_words(rest & 0xffff);
    case 9:
    case 10:
    case 13: return "prohibited";
    default: return {};
  }
}

std::string known_words(bool ip6, std::uint8_t type, std::uint8_t code, std::uint32_t rest) {
  if (type == (ip6 ? kIcmp6Unreachable : kIcmpUnreachable)) return unreachable_words(ip6, code, rest);
  if (type == (ip6 ? kIcmp6Echo : kIcmpEcho)) return "echo request";
  if (type == (ip6 ? kIcmp6EchoReply : kIcmpEchoReply)) return "echo reply";
  if (type == (ip6 ? kIcmp6TimeExceeded : kIcmpTimeExceeded)) {
    if (code == 1) return "fragments are missing";
    return ip6 ? "hop limit exceeded" : "time to live exceeded";
  }
  if (type == (ip6 ? kIcmp6ParameterProblem : kIcmpParameterProblem))
    return fmt::format("parameter problem at byte {}", ip6 ? rest : rest >> 24);
  if (!ip6) return {};
  if (type == kIcmp6PacketTooBig) return "packet too big" + mtu_words(rest);
  if (type == kIcmp6NeighborSolicitation) return "neighbour solicitation";
  if (type == kIcmp6NeighborAdvertisement) return "neighbour advertisement";
  return {};
}

}  // namespace

std::string icmp_words(bool ip6, std::uint8_t type, std::uint8_t code, std::uint32_t rest) {
  std::string words = known_words(ip6, type, code, rest);
  return words.empty() ? fmt::format("type {} code {}", type, code) : words;
}

std::string packet_words(std::span<const std::uint8_t> bytes, LinkLayer link) {
  Bytes packet = bytes;
  if (link == LinkLayer::Ethernet) {
    std::uint16_t type = 0;
    packet = network_part(bytes, type);
    if (type == kEthertypeArp) return arp_words(packet);
    if (type != kEthertypeIp4 && type != kEthertypeIp6) return fmt::format("ethertype 0x{:04x}", type);
  }
  FlowKey key;
  if (!extract_flow(packet, key)) return "no whole IP header";
  return key.to_string() + message_words(packet, key);
}

}  // namespace sluice::control
