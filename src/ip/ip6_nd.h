// SPDX-License-Identifier: Apache-2.0
// ip6-nd: keeps packets while their next hop is being resolved, then lets them look again. RFC 4861 section 7.2.2.
#pragma once
#include "ip/neighbor_messages.h"
#include "ip/state.h"
#include "ip/waiting_packets.h"
#include "sluice/net/icmp.h"
#include "sluice/net/ip6.h"
#include "sluice/node.h"

namespace sluice {

struct Ip6Nd {
  static constexpr NodeInfo kInfo{"ip6-nd", "keeps packets while their next hop is being resolved"};
  enum class Next : std::uint8_t { Ip6Lookup, Ip6Rewrite, Ip6IcmpError };
  enum class Drop : std::uint8_t { QueueFull, TooManyNeighbors, NoLinkLayer };
  enum class Count : std::uint8_t { Asked, Released, TimedOut };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex interface;
    Ip6Address next_hop;
    void describe(auto&& field) const {
      field("interface", interface);
      field("next-hop", next_hop);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::QueueFull: return "16 packets wait for this neighbour already, or 1,024 in all";
      case Drop::TooManyNeighbors: return "packets wait for 256 neighbours already";
      case Drop::NoLinkLayer: return "the interface is gone or has no link layer to resolve addresses on";
    }
    return "";
  }

  const IpState& ip;
  WaitingPackets<Ip6Address> waiting{};

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) noexcept {
    const Forwarding& object = ip.tables.forwarding.at(packet.forwarding);
    if (object.kind == ForwardingKind::Adjacency) return Next::Ip6Rewrite;
    const bool named = object.kind == ForwardingKind::Incomplete && object.next_hop.is_ip6();
    const Ip6Address next_hop = named ? object.next_hop.ip6() : packet.header<Ip6Header>()->destination;
    if (trace) *trace = {packet.tx_interface, next_hop};
    const InterfaceState* out = worker.interface(packet.tx_interface);
    if (!out || out->link != LinkLayer::Ethernet) return Drop::NoLinkLayer;
    switch (waiting.add(packet, packet.tx_interface, next_hop, worker.now())) {
      case WaitingPackets<Ip6Address>::Fate::QueueFull: return Drop::QueueFull;
      case WaitingPackets<Ip6Address>::Fate::TableFull: return Drop::TooManyNeighbors;
      case WaitingPackets<Ip6Address>::Fate::HeldAndAsk:
        worker.count(Count::Asked);
        worker.report(ControlMessage::of(ip.neighbor_wanted, NeighborWanted{packet.tx_interface, next_hop}));
        break;
      case WaitingPackets<Ip6Address>::Fate::Held: break;
    }
    return Hold;
  }

  std::size_t held() const noexcept { return waiting.held(); }
  void release(Worker& worker, Out<Ip6Nd>& out) noexcept {
    waiting.release(
        worker.now(), [&](const Packet& packet) { return resolved(packet, worker); },
        [&](Packet& packet) {
          worker.count(Count::Released);
          out.emit(packet, Next::Ip6Lookup);
        },
        [&](Packet& packet) {
          worker.count(Count::TimedOut);
          packet.icmp_error = {kIcmp6Unreachable, 3, 0, 0};
          out.emit(packet, Next::Ip6IcmpError);
        });
  }
  void flush(Worker& worker) noexcept { waiting.flush(worker); }

 private:
  bool resolved(const Packet& packet, const Worker& worker) const noexcept {
    const Ip6Address& destination = packet.header<Ip6Header>()->destination;
    ForwardingIndex index;
    if (destination.is_link_local()) {
      index = ip.tables.links.read(worker).find(packet.tx_interface, destination);
    } else if (const Fib<Ip6Address>* fib = ip.tables.ip6.find(packet.table)) {
      index = fib->lookup(destination);
    }
    return !must_wait(ip.tables.forwarding, index, packet.flow_hash);
  }
};

}  // namespace sluice
