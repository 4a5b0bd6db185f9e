// SPDX-License-Identifier: Apache-2.0
// What ip4-rewrite and ip6-rewrite do: take one from the hops that are left, check the MTU, and put the adjacency's
// link-layer header in front.
#pragma once
#include <sluice/ip_tables.h>
#include <sluice/kernels/gso_headers.h>
#include <sluice/kernels/push_rewrite.h>
#include <sluice/known.h>
#include <sluice/node.h>

namespace sluice {

/// Rules: the family's header and edges, which packets may be fragmented, and the ICMP errors.
template <class Rules>
struct Rewrite : Rules {
  using typename Rules::Header;
  using typename Rules::Next;
  enum class Drop : std::uint8_t { NoInterface, NoAdjacency, NoHeadroom };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex interface;
    std::uint32_t mtu;
    std::uint8_t hops_left;
    IpAddress next_hop;
    void describe(auto&& field) const {
      field("interface", interface);
      field("next-hop", next_hop);
      field("mtu", mtu);
      field(Rules::kHopsLeft, hops_left);
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

  explicit Rewrite(const IpTables& t) : tables(t) {}

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    Known known;
    return (*this)(packet, worker, trace, known);
  }
  [[gnu::always_inline]] Verdict operator()(Packet& packet, Worker& worker, Trace* trace, Known& known) const noexcept {
    const Forwarding& adjacency = known.forwarding ? *known.forwarding : tables.forwarding.at(packet.forwarding);
    if (adjacency.kind != ForwardingKind::Adjacency) return Drop::NoAdjacency;
    const InterfaceState* out = worker.interface(adjacency.interface);
    if (!out) return Drop::NoInterface;
    known.out = out;
    auto* ip = packet.known_header<Header>();
    const std::uint32_t mtu = adjacency.mtu ? adjacency.mtu : out->mtu;
    if (trace) *trace = {adjacency.interface, mtu, Rules::hops_left(*ip), adjacency.next_hop};
    const bool local = packet.has(kLocal);
    if (!local && Rules::hops_left(*ip) <= 1) {
      packet.icmp_error = Rules::kExpired;
      return Rules::kIcmpError;
    }
    if (packet.chain_length > mtu) [[unlikely]] {
      if (const auto verdict = too_long(packet, *ip, mtu); verdict != Next::InterfaceOutput) return verdict;
    }
    if (packet.headroom() < adjacency.rewrite_length) return Drop::NoHeadroom;
    push_rewrite(packet, adjacency);
    if (!local) Rules::count_down(*ip);
    return Next::InterfaceOutput;
  }

 private:
  // The fragments come back here, so that the hops are still to be counted down. A super-packet is never made of
  // fragments: its source learns the MTU even where it could be fragmented.
  [[gnu::noinline]] static Verdict too_long(Packet& packet, const Header& ip, std::uint32_t mtu) noexcept {
    const bool gso = packet.has(kGso);
    if (gso && packet.wire_size(gso_header_bytes(packet)) <= mtu) return Next::InterfaceOutput;
    if (!gso && Rules::may_fragment(packet, ip)) {
      packet.icmp_error.mtu_or_pointer = mtu;
      return Rules::kFragment;
    }
    packet.icmp_error = Rules::kTooLong;
    packet.icmp_error.mtu_or_pointer = mtu;
    return Rules::kIcmpError;
  }
};

}  // namespace sluice
