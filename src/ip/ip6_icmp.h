// SPDX-License-Identifier: Apache-2.0
// ip6-icmp: answers echo requests for this node, sorts out neighbour discovery; errors about what a node has
// sent are that node's, other ICMPv6 messages are the host's.
// RFC 4443 sections 2.1 and 4.2.
#pragma once
#include "ip/packet_checksum.h"
#include "ip/state.h"
#include "sluice/net/icmp.h"
#include "sluice/net/ip6_extensions.h"
#include "sluice/net/udp.h"
#include "sluice/node.h"

namespace sluice {

struct Ip6Icmp {
  static constexpr NodeInfo kInfo{"ip6-icmp", "answers echo requests for this node, sorts out neighbour discovery"};
  enum class Next : std::uint8_t { Ip6Lookup, Ip6NdInput, Ip6Punt, Registered };
  enum class Drop : std::uint8_t { Truncated, BadChecksum, NoSource, UnspecifiedSource, NotUsed };
  enum class Count : std::uint8_t { EchoReplies };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    Ip6Address source;
    std::uint8_t type, code;
    std::uint16_t id, sequence;
    void describe(auto&& field) const {
      field("source", source);
      field("type", type);
      field("code", code);
      field("id", id);
      field("sequence", sequence);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::Truncated: return "fewer bytes than an ICMPv6 header";
      case Drop::BadChecksum: return "the ICMPv6 checksum is wrong";
      case Drop::NoSource: return "this node has no address to answer from";
      case Drop::UnspecifiedSource: return "an echo request that nobody can be answered";
      case Drop::NotUsed: return "router discovery, redirects and multicast listeners are of no use here";
    }
    return "";
  }

  const IpState& ip;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    auto* header = packet.header<Ip6Header>();
    const std::size_t at = find_upper_layer(packet).offset;
    auto* icmp = packet.header<IcmpHeader>(at);
    if (!icmp) return Drop::Truncated;
    if (trace) *trace = {header->source, icmp->type, icmp->code, icmp->id.host(), icmp->sequence.host()};
    const auto length = static_cast<std::uint32_t>(packet.chain_length - at);
    const auto pseudo = pseudo_header_sum(*header, kIpProtocolIcmp6, length);
    if (checksum_fold(chain_sum(packet, at, length, pseudo)) != 0xffff) return Drop::BadChecksum;
    switch (icmp->type) {
      case kIcmp6Echo: return answer(packet, *header, *icmp, at, worker);
      case kIcmp6NeighborSolicitation:
      case kIcmp6NeighborAdvertisement: return Next::Ip6NdInput;
      case kIcmp6RouterSolicitation:
      case kIcmp6RouterAdvertisement:
      case kIcmp6Redirect:
      case kMldQuery:
      case kMldReport:
      case kMldDone:
      case kMld2Report: return Drop::NotUsed;
      default: return icmp->type < kFirstQuery ? error(packet, at, worker) : Verdict(Next::Ip6Punt);
    }
  }

 private:
  static constexpr std::uint8_t kFirstQuery = 128;  // RFC 4443 section 2.1: errors are below

  // RFC 4443 section 2.4 (d): an error goes to whom the quoted packet's upper layer names.
  Verdict error(Packet& packet, std::size_t at, Worker& worker) const noexcept {
    const auto* quoted = packet.header<Ip6Header>(at + sizeof(IcmpHeader));
    if (!quoted) return Next::Ip6Punt;
    const auto* udp = packet.header<UdpHeader>(at + sizeof(IcmpHeader) + sizeof *quoted);
    const std::uint16_t node =
        ip.local.read(worker).ip6.find_errors(quoted->next_header, udp ? udp->destination.host() : std::uint16_t{0});
    if (node == LocalTable::kNobody) return Next::Ip6Punt;
    packet.arc_next = node;
    return Next::Registered;
  }
  static constexpr std::uint8_t kMldQuery = 130, kMldReport = 131, kMldDone = 132, kMld2Report = 143;

  Verdict answer(Packet& packet, Ip6Header& header, IcmpHeader& icmp, std::size_t at, Worker& worker) const noexcept {
    if (header.source.is_unspecified()) return Drop::UnspecifiedSource;
    Ip6Address source = header.destination;
    if (source.is_multicast()) {
      source = ip.addresses.read(worker).source_for(packet.rx_interface, header.source);
      if (source.is_unspecified()) return Drop::NoSource;
    }
    header.destination = header.source;
    header.source = source;
    header.hop_limit = 64;
    icmp.type = kIcmp6EchoReply;
    icmp.checksum.raw = 0;
    const auto length = static_cast<std::uint32_t>(packet.chain_length - at);
    const auto pseudo = pseudo_header_sum(header, kIpProtocolIcmp6, length);
    icmp.checksum.raw = checksum_finish(chain_sum(packet, at, length, pseudo));
    packet.flags = (packet.flags & ~std::uint32_t{kBroadcast}) | kLocal;
    packet.flow_hash = 0;
    packet.tx_interface = packet.rx_interface;  // the zone of a link-local destination
    if (const InterfaceState* in = worker.interface(packet.rx_interface)) packet.table = in->table6;
    worker.count(Count::EchoReplies);
    return Next::Ip6Lookup;
  }
};

}  // namespace sluice
