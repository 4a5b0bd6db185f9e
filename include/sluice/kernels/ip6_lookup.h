// SPDX-License-Identifier: Apache-2.0
// ip6-lookup: finds where the destination leads, in packet.table; link-local
// destinations, on their own link. RFC 8200, RFC 4007 section 9.
#pragma once
#include <sluice/ip_tables.h>
#include <sluice/net/flow.h>
#include <sluice/net/icmp.h>
#include <sluice/net/ip6.h>
#include <sluice/node.h>

namespace sluice {

struct Ip6Lookup {
  static constexpr NodeInfo kInfo{"ip6-lookup", "finds where the destination leads"};
  enum class Next : std::uint8_t { Ip6Rewrite, Ip6Local, Ip6Nd, Ip6IcmpError };
  enum class Drop : std::uint8_t { NoTable, Blackhole, OtherLink };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    Ip6Address destination;
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
      case Drop::OtherLink: return "a link-local destination that is not this node's; it stays on its link";
      case Drop::Blackhole: return "the route says blackhole";
    }
    return "";
  }
  struct Key {
    const FibNodes::Entry* entry;  ///< the next to read, or null when value is the end
    std::uint32_t value;           ///< what led to it
  };
  static constexpr std::size_t kSteps = 4;  // a full table rarely needs more; finish() goes the rest

  const IpTables& tables;

  Key prepare(Packet& packet, Worker&) const noexcept {
    const Fib<Ip6Address>* fib = tables.ip6.find(packet.table);
    const Ip6Address& destination = packet.header<Ip6Header>()->destination;
    if (destination.is_link_local()) [[unlikely]]
      return {nullptr, kLinkLocal};
    if (!fib) return {nullptr, ForwardingIndex::kNone};
    const auto* entry = fib->first(destination);
    __builtin_prefetch(entry);
    return {entry, 0};
  }
  void step(Packet& packet, Key& key, Worker&) const noexcept {
    if (!key.entry) return;
    const Ip6Address& destination = packet.header<Ip6Header>()->destination;
    key.value = tables.nodes6.read(key.value, key.entry, destination);
    if (Fib<Ip6Address>::is_leaf(key.value)) {
      key.entry = nullptr;
      tables.forwarding.prefetch(ForwardingIndex{key.value});
      return;
    }
    key.entry = tables.nodes6.locate(key.value, destination);
  }
  Verdict finish(Packet& packet, Key& key, Worker& worker, Trace* trace) const noexcept {
    const auto& ip = *packet.header<Ip6Header>();
    while (key.entry) {
      key.value = tables.nodes6.read(key.value, key.entry, ip.destination);
      key.entry = Fib<Ip6Address>::is_leaf(key.value) ? nullptr : tables.nodes6.locate(key.value, ip.destination);
    }
    if (trace) *trace = {ip.destination, packet.table, ForwardingIndex{key.value}, 0};
    if (key.value == ForwardingIndex::kNone) return Drop::NoTable;
    if (key.value == kLinkLocal) [[unlikely]]
      return on_link(packet, ip, worker, trace);
    packet.forwarding = ForwardingIndex{key.value};
    const Forwarding* object = &tables.forwarding.at(packet.forwarding);
    if (object->kind == ForwardingKind::Group) {
      if (packet.flow_hash == 0) packet.flow_hash = flow_hash6(packet);
      packet.forwarding = object->members[packet.flow_hash & (object->group_size - 1u)];
      object = &tables.forwarding.at(packet.forwarding);
      if (trace) *trace = {trace->destination, packet.table, packet.forwarding, packet.flow_hash};
    }
    return decide(packet, ip, *object);
  }

 private:
  static constexpr std::uint32_t kLinkLocal = ForwardingIndex::kNone - 1;

  // RFC 4007 section 9: the zone is the link that the packet came by, or that its maker chose.
  [[gnu::noinline]] Verdict on_link(Packet& packet, const Ip6Header& ip, Worker& worker, Trace* trace) const noexcept {
    const LinkTable& links = tables.links.read(worker);
    const InterfaceIndex link = packet.has(kLocal) ? packet.tx_interface : packet.rx_interface;
    if (!packet.has(kLocal)) {
      const auto* zone = links.find(link);
      const bool ours = zone && std::find(zone->own.begin(), zone->own.end(), ip.destination) != zone->own.end();
      return ours ? Verdict(Next::Ip6Local) : Verdict(Drop::OtherLink);
    }
    packet.forwarding = links.find(link, ip.destination);
    if (trace) trace->forwarding = packet.forwarding;
    return decide(packet, ip, tables.forwarding.at(packet.forwarding));
  }

  static Verdict decide(Packet& packet, const Ip6Header& ip, const Forwarding& object) noexcept {
    switch (object.kind) {
      case ForwardingKind::Adjacency:
      case ForwardingKind::Connected:
      case ForwardingKind::Incomplete:
        // RFC 4443 section 3.1, code 2; RFC 4291 section 2.5.6.
        if (ip.source.is_link_local() && !packet.has(kLocal) && object.interface != packet.rx_interface) {
          packet.icmp_error = {kIcmp6Unreachable, 2, 0, 0};
          return Next::Ip6IcmpError;
        }
        packet.tx_interface = object.interface;
        return object.kind == ForwardingKind::Adjacency ? Next::Ip6Rewrite : Next::Ip6Nd;
      case ForwardingKind::Local: return Next::Ip6Local;
      case ForwardingKind::Blackhole: return Drop::Blackhole;
      case ForwardingKind::Unreachable: packet.icmp_error = {kIcmp6Unreachable, 3, 0, 0}; break;
      case ForwardingKind::Prohibit: packet.icmp_error = {kIcmp6Unreachable, 1, 0, 0}; break;
      case ForwardingKind::Group:
      case ForwardingKind::NoRoute: packet.icmp_error = {kIcmp6Unreachable, 0, 0, 0}; break;
    }
    return Next::Ip6IcmpError;
  }
};

}  // namespace sluice
