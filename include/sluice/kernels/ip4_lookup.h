// SPDX-License-Identifier: Apache-2.0
// ip4-lookup: finds where the destination leads, in packet.table. RFC 1812 section 5.2.4.
#pragma once
#include <sluice/ip_tables.h>
#include <sluice/net/flow.h>
#include <sluice/net/icmp.h>
#include <sluice/net/ip4.h>
#include <sluice/node.h>

namespace sluice {

struct Ip4Lookup {
  static constexpr NodeInfo kInfo{"ip4-lookup", "finds where the destination leads"};
  enum class Next : std::uint8_t { Ip4Rewrite, Ip4Local, Ip4Arp, Ip4IcmpError };
  enum class Drop : std::uint8_t { NoTable, Blackhole };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    Ip4Address destination;
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
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::NoTable: return "the packet's route table was deleted while it was on its way";
      case Drop::Blackhole: return "the route says blackhole";
    }
    return "";
  }
  struct Key {
    const FibNodes::Entry* entry;  ///< the next to read, or null when value is the end
    std::uint32_t value;           ///< what led to it
  };
  static constexpr std::size_t kSteps = 2;

  const IpTables& tables;

  Key prepare(Packet& packet, Worker&) const noexcept {
    const Fib<Ip4Address>* fib = tables.ip4.find(packet.table);
    if (!fib) return {nullptr, ForwardingIndex::kNone};
    const auto* entry = fib->first(packet.header<Ip4Header>()->destination);
    __builtin_prefetch(entry);
    return {entry, 0};
  }
  void step(Packet& packet, Key& key, Worker&) const noexcept {
    if (!key.entry) return;
    const Ip4Address& destination = packet.header<Ip4Header>()->destination;
    key.value = tables.nodes4.read(key.value, key.entry, destination);
    if (Fib<Ip4Address>::is_leaf(key.value)) {
      key.entry = nullptr;
      tables.forwarding.prefetch(ForwardingIndex{key.value});
      return;
    }
    key.entry = tables.nodes4.locate(key.value, destination);
  }
  Verdict finish(Packet& packet, Key& key, Worker&, Trace* trace) const noexcept {
    if (key.entry) key.value = tables.nodes4.read(key.value, key.entry, packet.header<Ip4Header>()->destination);
    if (trace) *trace = {packet.header<Ip4Header>()->destination, packet.table, ForwardingIndex{key.value}, 0};
    if (key.value == ForwardingIndex::kNone) return Drop::NoTable;
    packet.forwarding = ForwardingIndex{key.value};
    const Forwarding* object = &tables.forwarding.at(packet.forwarding);
    if (object->kind == ForwardingKind::Group) {
      if (packet.flow_hash == 0) packet.flow_hash = flow_hash4(packet);
      packet.forwarding = object->members[packet.flow_hash & (object->group_size - 1u)];
      object = &tables.forwarding.at(packet.forwarding);
      if (trace) *trace = {trace->destination, packet.table, packet.forwarding, packet.flow_hash};
    }
    return decide(packet, *object);
  }

 private:
  static Verdict decide(Packet& packet, const Forwarding& object) noexcept {
    switch (object.kind) {
      case ForwardingKind::Adjacency: packet.tx_interface = object.interface; return Next::Ip4Rewrite;
      case ForwardingKind::Local: return Next::Ip4Local;
      case ForwardingKind::Connected:
      case ForwardingKind::Incomplete: packet.tx_interface = object.interface; return Next::Ip4Arp;
      case ForwardingKind::Blackhole: return Drop::Blackhole;
      // RFC 1812 section 5.2.7.1.
      case ForwardingKind::Unreachable: packet.icmp_error = {kIcmpUnreachable, 1, 0, 0}; break;
      case ForwardingKind::Prohibit: packet.icmp_error = {kIcmpUnreachable, 13, 0, 0}; break;
      case ForwardingKind::Group:
      case ForwardingKind::NoRoute: packet.icmp_error = {kIcmpUnreachable, 0, 0, 0}; break;
    }
    return Next::Ip4IcmpError;
  }
};

}  // namespace sluice
