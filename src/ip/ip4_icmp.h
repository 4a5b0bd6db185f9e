// SPDX-License-Identifier: Apache-2.0
// ip4-icmp: answers echo requests for this node; errors about what a node has sent are that node's, every other ICMP
// message is the host's. RFC 792, RFC 1122 section
// 3.2.2.6.
#pragma once
#include "ip/packet_checksum.h"
#include "ip/state.h"
#include "sluice/net/icmp.h"
#include "sluice/net/udp.h"
#include "sluice/node.h"

namespace sluice {

struct Ip4Icmp {
  static constexpr NodeInfo kInfo{"ip4-icmp", "answers echo requests for this node"};
  enum class Next : std::uint8_t { Ip4Lookup, Ip4Punt, Registered };
  enum class Drop : std::uint8_t { Truncated, BadChecksum, BroadcastEcho };
  enum class Count : std::uint8_t { EchoReplies };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    Ip4Address source;
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
      case Drop::Truncated: return "fewer bytes than an ICMP header";
      case Drop::BadChecksum: return "the ICMP checksum is wrong";
      case Drop::BroadcastEcho: return "echo requests to broadcast and multicast addresses are not answered";
    }
    return "";
  }

  const IpState& ip;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    auto* header = packet.header<Ip4Header>();
    const std::size_t header_bytes = header->header_length();
    auto* icmp = packet.header<IcmpHeader>(header_bytes);
    if (!icmp) return Drop::Truncated;
    if (trace) *trace = {header->source, icmp->type, icmp->code, icmp->id.host(), icmp->sequence.host()};
    if (icmp->type != kIcmpEcho) return other(packet, *icmp, header_bytes, worker);
    // RFC 1122 section 3.2.2.6 lets a host stay silent; answering would make it an amplifier.
    if (packet.has(kBroadcast) || header->destination.is_multicast() || header->destination.is_broadcast())
      return Drop::BroadcastEcho;
    if (!sum_right(packet, header_bytes)) return Drop::BadChecksum;
    const be16 before = wire_word(icmp->type, icmp->code);
    icmp->type = kIcmpEchoReply;
    icmp->checksum.raw = checksum_update(icmp->checksum.raw, before.raw, wire_word(kIcmpEchoReply, icmp->code).raw);
    std::swap(header->source, header->destination);
    header->ttl = 64;
    header->fragment = be16{};
    set_header_checksum(*header);
    packet.flags |= kLocal;
    packet.flow_hash = 0;
    if (const InterfaceState* in = worker.interface(packet.rx_interface)) packet.table = in->table4;
    worker.count(Count::EchoReplies);
    return Next::Ip4Lookup;
  }

 private:
  static bool sum_right(const Packet& packet, std::size_t at) noexcept {
    return checksum_fold(chain_sum(packet, at, packet.chain_length - at, 0)) == 0xffff;
  }
  // RFC 1122 section 3.2.2: an error goes to whom the quoted packet's protocol names.
  Verdict other(Packet& packet, const IcmpHeader& icmp, std::size_t at, Worker& worker) const noexcept {
    if (icmp.type != kIcmpUnreachable && icmp.type != kIcmpTimeExceeded && icmp.type != kIcmpParameterProblem)
      return Next::Ip4Punt;
    const auto* quoted = packet.header<Ip4Header>(at + sizeof icmp);
    if (!quoted || (quoted->fragment.host() & Ip4Header::kOffsetMask)) return Next::Ip4Punt;
    const auto* udp = packet.header<UdpHeader>(at + sizeof icmp + quoted->header_length());
    const std::uint16_t node =
        ip.local.read(worker).ip4.find_errors(quoted->protocol, udp ? udp->destination.host() : std::uint16_t{0});
    if (node == LocalTable::kNobody) return Next::Ip4Punt;
    if (!sum_right(packet, at)) return Drop::BadChecksum;
    packet.arc_next = node;
    return Next::Registered;
  }
  static be16 wire_word(std::uint8_t high, std::uint8_t low) noexcept {
    return be16(static_cast<std::uint16_t>(high << 8 | low));
  }
};

}  // namespace sluice
