// SPDX-License-Identifier: Apache-2.0
// ip4-arp: keeps packets while their next hop is being resolved, then lets them look again. RFC 1122 section 2.3.2.2.
#pragma once
#include "ip/neighbor_messages.h"
#include "ip/state.h"
#include "ip/waiting_packets.h"
#include "sluice/net/icmp.h"
#include "sluice/net/ip4.h"
#include "sluice/node.h"

namespace sluice {

struct Ip4Arp {
  static constexpr NodeInfo kInfo{"ip4-arp", "keeps packets while their next hop is being resolved"};
  enum class Next : std::uint8_t { Ip4Lookup, Ip4Rewrite, Ip4IcmpError };
  enum class Drop : std::uint8_t { QueueFull, TooManyNeighbors, NoLinkLayer };
  enum class Count : std::uint8_t { Asked, Released, TimedOut };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex interface;
    Ip4Address next_hop;
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
  WaitingPackets<Ip4Address> waiting{};

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) noexcept {
    const Forwarding& object = ip.tables.forwarding.at(packet.forwarding);
    // It was completed since the lookup.
    if (object.kind == ForwardingKind::Adjacency) return Next::Ip4Rewrite;
    const bool named = object.kind == ForwardingKind::Incomplete && object.next_hop.is_ip4();
    const Ip4Address next_hop = named ? object.next_hop.ip4() : packet.header<Ip4Header>()->destination;
    if (trace) *trace = {packet.tx_interface, next_hop};
    const InterfaceState* out = worker.interface(packet.tx_interface);
    if (!out || out->link != LinkLayer::Ethernet) return Drop::NoLinkLayer;
    switch (waiting.add(packet, packet.tx_interface, next_hop, worker.now())) {
      case WaitingPackets<Ip4Address>::Fate::QueueFull: return Drop::QueueFull;
      case WaitingPackets<Ip4Address>::Fate::TableFull: return Drop::TooManyNeighbors;
      case WaitingPackets<Ip4Address>::Fate::HeldAndAsk:
        worker.count(Count::Asked);
        worker.report(ControlMessage::of(ip.neighbor_wanted, NeighborWanted{packet.tx_interface, next_hop}));
        break;
      case WaitingPackets<Ip4Address>::Fate::Held: break;
    }
    return Hold;
  }

  std::size_t held() const noexcept { return waiting.held(); }
  void release(Worker& worker, Out<Ip4Arp>& out) noexcept {
    waiting.release(
        worker.now(), [&](const Packet& packet) { return resolved(packet); },
        [&](Packet& packet) {
          worker.count(Count::Released);
          out.emit(packet, Next::Ip4Lookup);
        },
        [&](Packet& packet) {
          worker.count(Count::TimedOut);
          packet.icmp_error = {kIcmpUnreachable, 1, 0, 0};
          out.emit(packet, Next::Ip4IcmpError);
        });
  }
  void flush(Worker& worker) noexcept { waiting.flush(worker); }

 private:
  // Whether a lookup now leads elsewhere than here.
  bool resolved(const Packet& packet) const noexcept {
    const Fib<Ip4Address>* fib = ip.tables.ip4.find(packet.table);
    if (!fib) return true;
    return !must_wait(ip.tables.forwarding, fib->lookup(packet.header<Ip4Header>()->destination), packet.flow_hash);
  }
};

}  // namespace sluice
