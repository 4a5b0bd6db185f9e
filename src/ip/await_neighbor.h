// SPDX-License-Identifier: Apache-2.0
// What ip4-arp and ip6-nd do: keep packets while their next hop is being resolved, then let them look again.
#pragma once
#include "ip/neighbor_messages.h"
#include "ip/state.h"
#include "ip/waiting_packets.h"
#include "sluice/node.h"

namespace sluice {

/// Rules: the family's addresses and edges, where a packet now leads, and what its source is told in the end.
template <class Rules>
struct AwaitNeighbor : Rules {
  using typename Rules::Address;
  using typename Rules::Next;
  enum class Drop : std::uint8_t { QueueFull, NoLinkLayer };
  enum class Count : std::uint8_t { Asked, Released, TimedOut, PushedOut };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    InterfaceIndex interface;
    Address next_hop;
    void describe(auto&& field) const {
      field("interface", interface);
      field("next-hop", next_hop);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::QueueFull: return "16 packets wait for this neighbour already";
      case Drop::NoLinkLayer: return "the interface is gone or has no link layer to resolve addresses on";
    }
    return "";
  }

  const IpState& ip;
  WaitingPackets<Address> waiting{};

  explicit AwaitNeighbor(const IpState& state) : ip(state) {}

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) noexcept {
    const Forwarding& object = ip.tables.forwarding.at(packet.forwarding);
    // It was completed since the lookup.
    if (object.kind == ForwardingKind::Adjacency) return Rules::kRewrite;
    const Address next_hop = Rules::next_hop_of(object, packet);
    if (trace) *trace = {packet.tx_interface, next_hop};
    const InterfaceState* out = worker.interface(packet.tx_interface);
    if (!out || out->link != LinkLayer::Ethernet) return Drop::NoLinkLayer;
    using Fate = typename WaitingPackets<Address>::Fate;
    const auto push_out = [&](Packet& old) {
      worker.count(Count::PushedOut);
      worker.buffers().free(&old);
    };
    switch (waiting.add(packet, packet.tx_interface, next_hop, worker.now(), push_out)) {
      case Fate::QueueFull: return Drop::QueueFull;
      case Fate::HeldAndAsk:
        worker.count(Count::Asked);
        worker.report(ControlMessage::of(ip.neighbor_wanted, NeighborWanted{packet.tx_interface, next_hop}));
        break;
      case Fate::Held: break;
    }
    return Hold;
  }

  std::size_t held() const noexcept { return waiting.held(); }
  void release(Worker& worker, auto& out) noexcept {
    waiting.release(
        worker.now(),
        [&](const Packet& packet) {
          // Whether a lookup now leads elsewhere than here.
          return !must_wait(ip.tables.forwarding, Rules::look_up(ip.tables, packet, worker), packet.flow_hash);
        },
        [&](Packet& packet) {
          worker.count(Count::Released);
          out.emit(packet, Rules::kLookup);
        },
        [&](Packet& packet) {
          worker.count(Count::TimedOut);
          packet.icmp_error = Rules::kNoAnswer;
          out.emit(packet, Rules::kIcmpError);
        });
  }
  void flush(Worker& worker) noexcept { waiting.flush(worker); }
};

}  // namespace sluice
