// SPDX-License-Identifier: Apache-2.0
// ip4-icmp: answers echo requests for this node; every other ICMP message is the host's. RFC 792, RFC 1122 section
// 3.2.2.6.
#pragma once
#include "ip/packet_checksum.h"
#include "ip/state.h"
#include "sluice/net/icmp.h"
#include "sluice/node.h"

namespace sluice {

struct Ip4Icmp {
  static constexpr NodeInfo kInfo{"ip4-icmp", "answers echo requests for this node"};
  enum class Next : std::uint8_t { Ip4Lookup, Ip4Punt };
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

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    auto* ip = packet.header<Ip4Header>();
    const std::size_t header_bytes = ip->header_length();
    auto* icmp = packet.header<IcmpHeader>(header_bytes);
    if (!icmp) return Drop::Truncated;
    if (trace) *trace = {ip->source, icmp->type, icmp->code, icmp->id.host(), icmp->sequence.host()};
    if (icmp->type != kIcmpEcho) return Next::Ip4Punt;
    // RFC 1122 section 3.2.2.6 lets a host stay silent; answering would make it an amplifier.
    if (packet.has(kBroadcast) || ip->destination.is_multicast() || ip->destination.is_broadcast())
      return Drop::BroadcastEcho;
    if (checksum_fold(chain_sum(packet, header_bytes, packet.chain_length - header_bytes, 0)) != 0xffff)
      return Drop::BadChecksum;
    const be16 before = wire_word(icmp->type, icmp->code);
    icmp->type = kIcmpEchoReply;
    icmp->checksum.raw = checksum_update(icmp->checksum.raw, before.raw, wire_word(kIcmpEchoReply, icmp->code).raw);
    std::swap(ip->source, ip->destination);
    ip->ttl = 64;
    ip->fragment = be16{};
    set_header_checksum(*ip);
    packet.flags |= kLocal;
    packet.flow_hash = 0;
    if (const InterfaceState* in = worker.interface(packet.rx_interface)) packet.table = in->table4;
    worker.count(Count::EchoReplies);
    return Next::Ip4Lookup;
  }

 private:
  static be16 wire_word(std::uint8_t high, std::uint8_t low) noexcept {
    return be16(static_cast<std::uint16_t>(high << 8 | low));
  }
};

}  // namespace sluice
