// SPDX-License-Identifier: Apache-2.0
// ip6-rewrite: takes one from the hop limit, checks the MTU, and puts the adjacency's link-layer header in front.
// RFC 8200 sections 3 and 5, RFC 4443 sections 3.2 and 3.3.
#pragma once
#include <sluice/ip_tables.h>
#include <sluice/kernels/gso_headers.h>
#include <sluice/kernels/push_rewrite.h>
#include <sluice/net/icmp.h>
#include <sluice/net/ip6.h>
#include <sluice/node.h>

namespace sluice {

struct Ip6Rewrite {
  static constexpr NodeInfo kInfo{"ip6-rewrite", "decrements the hop limit and puts the link-layer header in front"};
  enum class Next : std::uint8_t { InterfaceOutput, Ip6Fragment, Ip6IcmpError };
  enum class Drop : std::uint8_t { NoInterface, NoAdjacency, NoHeadroom };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex interface;
    std::uint32_t mtu;
    std::uint8_t hop_limit;
    IpAddress next_hop;
    void describe(auto&& field) const {
      field("interface", interface);
      field("next-hop", next_hop);
      field("mtu", mtu);
      field("hop-limit", hop_limit);
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
    auto* ip = packet.header<Ip6Header>();
    const std::uint32_t mtu = adjacency.mtu ? adjacency.mtu : out->mtu;
    if (trace) *trace = {adjacency.interface, mtu, ip->hop_limit, adjacency.next_hop};
    const bool local = packet.has(kLocal);
    if (!local && ip->hop_limit <= 1) {
      packet.icmp_error = {kIcmp6TimeExceeded, 0, 0, 0};
      return Next::Ip6IcmpError;
    }
    if (packet.chain_length > mtu) [[unlikely]] {
      if (const auto verdict = too_long(packet, mtu); verdict != Next::InterfaceOutput) return verdict;
    }
    if (packet.headroom() < adjacency.rewrite_length) return Drop::NoHeadroom;
    if (!local) --ip->hop_limit;
    push_rewrite(packet, adjacency);
    return Next::InterfaceOutput;
  }

 private:
  // RFC 8200 section 4.5: only a packet's source makes fragments of it.
  [[gnu::noinline]] static Verdict too_long(Packet& packet, std::uint32_t mtu) noexcept {
    const bool gso = packet.has(kGso);
    if (gso && packet.wire_size(gso_header_bytes(packet)) <= mtu) return Next::InterfaceOutput;
    if (packet.has(kLocal) && !gso) {
      packet.icmp_error.mtu_or_pointer = mtu;
      return Next::Ip6Fragment;
    }
    packet.icmp_error = {kIcmp6PacketTooBig, 0, 0, mtu};
    return Next::Ip6IcmpError;
  }
};

}  // namespace sluice
