// SPDX-License-Identifier: Apache-2.0
// What ip4-lookup and ip6-lookup do: find where the destination leads, in packet.table.
#pragma once
#include <sluice/ip_tables.h>
#include <sluice/net/flow.h>
#include <sluice/net/icmp.h>
#include <sluice/node.h>

namespace sluice {

/// Rules: the family's header, tables, edges and ICMP errors. With kLinks, link-local addresses mean something on their
/// own link only.
template <class Rules>
struct Lookup : Rules {
  using typename Rules::Drop;
  using typename Rules::Header;
  using typename Rules::Next;
  using Address = decltype(Header::destination);
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    Address destination;
    TableIndex table;
    ForwardingIndex forwarding;
    std::uint32_t flow_hash;
    void describe(auto&& field) const {
      field("destination", destination);
      field("table", table.value);
      field("forwarding", forwarding.value);
      if (flow_hash) field("flow-hash", flow_hash);
    }
  };
  struct Key {
    const FibNodes::Entry* entry;  ///< the next to read
    std::uint32_t value;           ///< what led to it, or the end
    Address destination;
  };

  const IpTables& tables;

  explicit Lookup(const IpTables& t) : tables(t) {}

  Key prepare(Packet& packet, Worker&) const noexcept {
    const Fib<Address>* fib = Rules::fibs(tables).find(packet.table);
    const Address& destination = ip_of(packet).destination;
    if constexpr (Rules::kLinks) {
      if (destination.is_link_local()) [[unlikely]]
        return {&kOnLinkEntry, FibNodes::kAtRoot, destination};
    }
    if (!fib) [[unlikely]]
      return {&kNoTableEntry, FibNodes::kAtRoot, destination};
    const auto* entry = fib->first(destination);
    __builtin_prefetch(entry);
    return {entry, FibNodes::kAtRoot, destination};
  }
  void step(Packet&, Key& key, Worker&) const noexcept { step(key); }
  Verdict finish(Packet& packet, Key& key, Worker& worker, Trace* trace) const noexcept {
    while (!FibNodes::is_leaf(key.value)) step(key);
    if (trace) *trace = {key.destination, packet.table, ForwardingIndex{key.value}, 0};
    packet.forwarding = ForwardingIndex{key.value};
    const Forwarding* object = &tables.forwarding.at(packet.forwarding);
    if (object->kind == ForwardingKind::Adjacency) [[likely]]
      return send(packet, *object, Rules::kRewrite);
    if (key.value == kNoTable) return Drop::NoTable;
    if constexpr (Rules::kLinks) {
      if (key.value == kOnLink) return on_link(packet, worker, trace);
    }
    if (object->kind == ForwardingKind::Group) {
      if (packet.flow_hash == 0) packet.flow_hash = Rules::flow_hash_of(packet);
      packet.forwarding = object->members[packet.flow_hash & (object->group_size - 1u)];
      object = &tables.forwarding.at(packet.forwarding);
      if (trace) *trace = {trace->destination, packet.table, packet.forwarding, packet.flow_hash};
    }
    return decide(packet, *object);
  }

 private:
  // Leaves that no table has.
  static constexpr std::uint32_t kNoTable = ForwardingTable::kCapacity, kOnLink = kNoTable + 1;
  static inline const FibNodes::Entry kNoTableEntry{kNoTable}, kOnLinkEntry{kOnLink};

  static const Header& ip_of(const Packet& packet) noexcept { return *packet.known_header<Header>(); }
  void step(Key& key) const noexcept { Rules::nodes_of(tables).step(key.value, key.entry, key.destination); }

  // RFC 4007 section 9: the zone is the link that the packet came by, or that its maker chose.
  [[gnu::noinline]] Verdict on_link(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    const Address& destination = ip_of(packet).destination;
    const LinkTable& links = tables.links.read(worker);
    const InterfaceIndex link = packet.has(kLocal) ? packet.tx_interface : packet.rx_interface;
    if (!packet.has(kLocal)) {
      const auto* zone = links.find(link);
      const bool ours = zone && std::find(zone->own.begin(), zone->own.end(), destination) != zone->own.end();
      return ours ? Verdict(Rules::kDeliver) : Verdict(Drop::OtherLink);
    }
    packet.forwarding = links.find(link, destination);
    if (trace) trace->forwarding = packet.forwarding;
    return decide(packet, tables.forwarding.at(packet.forwarding));
  }

  static Verdict send(Packet& packet, const Forwarding& object, Next next) noexcept {
    if constexpr (Rules::kLinks) {
      // RFC 4443 section 3.1, code 2; RFC 4291 section 2.5.6.
      if (ip_of(packet).source.is_link_local() && !packet.has(kLocal) && object.interface != packet.rx_interface) {
        packet.icmp_error = Rules::kBeyondScope;
        return Rules::kIcmpError;
      }
    }
    packet.tx_interface = object.interface;
    return next;
  }

  static Verdict decide(Packet& packet, const Forwarding& object) noexcept {
    switch (object.kind) {
      case ForwardingKind::Adjacency: return send(packet, object, Rules::kRewrite);
      case ForwardingKind::Connected:
      case ForwardingKind::Incomplete: return send(packet, object, Rules::kResolve);
      case ForwardingKind::Local: return Rules::kDeliver;
      case ForwardingKind::Blackhole: return Drop::Blackhole;
      case ForwardingKind::Unreachable: packet.icmp_error = Rules::kUnreachable; break;
      case ForwardingKind::Prohibit: packet.icmp_error = Rules::kProhibited; break;
      case ForwardingKind::Group:
      case ForwardingKind::NoRoute: packet.icmp_error = Rules::kNoRoute; break;
    }
    return Rules::kIcmpError;
  }
};

}  // namespace sluice
