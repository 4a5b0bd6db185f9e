// SPDX-License-Identifier: Apache-2.0
// ip4-rewrite: takes one from the time to live, checks the MTU, and puts the adjacency's link-layer header in front.
// RFC 1812 sections 5.3.1 and 4.2.2.7, RFC 1191 section 4.
#pragma once
#include <sluice/ip_tables.h>
#include <sluice/kernels/gso_headers.h>
#include <sluice/kernels/push_rewrite.h>
#include <sluice/net/icmp.h>
#include <sluice/net/ip4.h>
#include <sluice/node.h>

namespace sluice {

struct Ip4Rewrite {
  static constexpr NodeInfo kInfo{"ip4-rewrite", "decrements the TTL and puts the link-layer header in front"};
  enum class Next : std::uint8_t { InterfaceOutput, Ip4Fragment, Ip4IcmpError };
  enum class Drop : std::uint8_t { NoInterface, NoAdjacency, NoHeadroom };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex interface;
    std::uint32_t mtu;
    std::uint8_t ttl;
    IpAddress next_hop;
    void describe(auto&& field) const {
      field("interface", interface);
      field("next-hop", next_hop);
      field("mtu", mtu);
      field("ttl", ttl);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::NoInterface: return "the output interface was deleted while the packet was on its way";
      case Drop::NoAdjacency: return "the neighbour was lost between lookup and rewrite";
      case Drop::NoHeadroom: return "no room in front of the packet for the link-layer header";
    }
    return "";
  }

  const IpTables& tables;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    const Forwarding& adjacency = tables.forwarding.at(packet.forwarding);
    if (adjacency.kind != ForwardingKind::Adjacency) return Drop::NoAdjacency;
    const InterfaceState* out = worker.interface(adjacency.interface);
    if (!out) return Drop::NoInterface;
    auto* ip = packet.header<Ip4Header>();
    const std::uint32_t mtu = adjacency.mtu ? adjacency.mtu : out->mtu;
    if (trace) *trace = {adjacency.interface, mtu, ip->ttl, adjacency.next_hop};
    const bool local = packet.has(kLocal);
    if (!local && ip->ttl <= 1) {
      packet.icmp_error = {kIcmpTimeExceeded, 0, 0, 0};
      return Next::Ip4IcmpError;
    }
    if (packet.chain_length > mtu) [[unlikely]] {
      if (const auto verdict = too_long(packet, *ip, mtu); verdict != Next::InterfaceOutput) return verdict;
    }
    if (packet.headroom() < adjacency.rewrite_length) return Drop::NoHeadroom;
    if (!local) decrement_ttl(*ip);
    push_rewrite(packet, adjacency);
    return Next::InterfaceOutput;
  }

 private:
  // RFC 1624: with the TTL in the upper byte of its word, one less there is one more in the checksum.
  static void decrement_ttl(Ip4Header& ip) noexcept {
    --ip.ttl;
    const std::uint32_t sum = ip.checksum.raw + 1u;
    ip.checksum.raw = static_cast<std::uint16_t>(sum + (sum >= 0xffff));
  }

  // The fragments come back here, so that the TTL is still to be counted down. A super-packet is never made of
  // fragments: its source learns the MTU even where it did not set DF.
  [[gnu::noinline]] static Verdict too_long(Packet& packet, const Ip4Header& ip, std::uint32_t mtu) noexcept {
    const bool gso = packet.has(kGso);
    if (gso && packet.wire_size(gso_header_bytes(packet)) <= mtu) return Next::InterfaceOutput;
    if (!gso && !(ip.fragment.host() & Ip4Header::kDontFragment)) {
      packet.icmp_error.mtu_or_pointer = mtu;
      return Next::Ip4Fragment;
    }
    packet.icmp_error = {kIcmpUnreachable, 4, 0, mtu};
    return Next::Ip4IcmpError;
  }
};

}  // namespace sluice
