// SPDX-License-Identifier: Apache-2.0
// What ip4-lookup and ip6-lookup do: find where the destination leads, in packet.table.
#pragma once
#include <sluice/ip_tables.h>
#include <sluice/known.h>
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
    const Forwarding* object;      ///< what the end leads to
    std::uint32_t value;           ///< what led to the entry, or the end
  };

  const IpTables& tables;

  explicit Lookup(const IpTables& t) : tables(t) {}

  void begin(Worker&) noexcept {
    last_table_ = kNoneYet;
    // A vector with many addresses that end deeper has the next go one step further together. Once in a while that is
    // forgotten: tables and traffic change.
    if (deep_ > kMany && steps_ < Rules::kMostSteps) ++steps_;
    if (++vectors_ % kForget == 0) steps_ = Rules::kSteps;
    deep_ = 0;
  }
  std::size_t steps() const noexcept { return steps_; }
  Key prepare(Packet& packet, Worker&) noexcept {
    const Address& destination = ip_of(packet).destination;
    if constexpr (Rules::kLinks) {
      if (destination.is_link_local()) [[unlikely]]
        return at_root(&kOnLinkEntry);
    }
    if (packet.table.value != last_table_ && !look_for(packet.table)) [[unlikely]]
      return at_root(&kNoTableEntry);
    return at_root(Fib<Address>::first(root_, destination));
  }
  void step(Packet& packet, Key& key, Worker&) const noexcept { step(key, ip_of(packet).destination); }
  // Apart from finish(), so that many of these dependent reads are under way at once.
  void settle(Packet& packet, Key& key, Worker&) noexcept {
    std::uint32_t found = key.value;
    // A leaf's entry is read again, so that nothing has to guess where an address ends.
    if (!FibNodes::has_runs(found)) [[likely]]
      found = key.entry->load(std::memory_order_acquire);
    if (!FibNodes::is_leaf(found)) [[unlikely]]
      found = go_down(key, ip_of(packet).destination);
    key.value = found;
    key.object = &tables.forwarding.at(ForwardingIndex{found});
    __builtin_prefetch(packet.data);  // what finish() and those behind it read and write
    __builtin_prefetch(key.object);
  }
  Verdict finish(Packet& packet, Key& key, Worker& worker, Trace* trace) const noexcept {
    Known known;
    return finish(packet, key, worker, trace, known);
  }
  [[gnu::always_inline]] Verdict finish(Packet& packet, Key& key, Worker& worker, Trace* trace,
                                        Known& known) const noexcept {
    known.forwarding = nullptr;
    known.out = nullptr;
    const std::uint32_t found = key.value;
    if (trace) *trace = {ip_of(packet).destination, packet.table, ForwardingIndex{found}, 0};
    packet.forwarding = ForwardingIndex{found};
    const Forwarding* object = key.object;
    if (object->kind == ForwardingKind::Adjacency) [[likely]] {
      known.forwarding = object;
      return send(packet, *object, Rules::kRewrite);
    }
    if (found == kNoTable) return Drop::NoTable;
    if constexpr (Rules::kLinks) {
      if (found == kOnLink) return on_link(packet, worker, trace);
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
  static constexpr std::size_t kMany = 8;
  static constexpr std::uint32_t kForget = 1024;
  std::size_t steps_ = Rules::kSteps, deep_ = 0;
  std::uint32_t vectors_ = 0;
  // The table of the packet before: nearly always this one's. Wider than any table's index.
  static constexpr std::uint64_t kNoneYet = ~std::uint64_t{0};
  std::uint64_t last_table_ = kNoneYet;
  const FibNodes::Entry* root_ = nullptr;  // of that table

  [[gnu::noinline]] bool look_for(TableIndex table) noexcept {
    const Fib<Address>* fib = Rules::fibs(tables).find(table);
    last_table_ = fib ? table.value : kNoneYet;
    root_ = fib ? fib->root() : nullptr;
    return fib != nullptr;
  }
  // Leaves that no table has: they lead to no object.
  static constexpr std::uint32_t kNoTable = ForwardingTable::kCapacity, kOnLink = 2 * kNoTable;
  static inline const FibNodes::Entry kNoTableEntry{kNoTable}, kOnLinkEntry{kOnLink};

  static const Header& ip_of(const Packet& packet) noexcept { return *packet.known_header<Header>(); }
  void step(Key& key, const Address& destination) const noexcept {
    Rules::nodes_of(tables).step(key.value, key.entry, destination);
  }
  static Key at_root(const FibNodes::Entry* entry) noexcept {
    __builtin_prefetch(entry);
    return {entry, nullptr, FibNodes::kAtRoot};
  }
  [[gnu::noinline]] std::uint32_t go_down(Key& key, const Address& destination) noexcept {
    ++deep_;
    while (!FibNodes::is_leaf(key.value)) step(key, destination);
    return key.value;
  }

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
