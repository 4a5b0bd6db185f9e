// SPDX-License-Identifier: Apache-2.0
// What the nodes of the IP layer read. Owned by the IP stack on the control thread; must outlive the graph.
#pragma once
#include "ip/address_table.h"
#include "sluice/ip_tables.h"
#include "sluice/local.h"
#include "sluice/published.h"

namespace sluice {

/// Where packets for the host go.
struct PuntTarget {
  InterfaceIndex interface;  ///< not valid: there is none
  bool knows_host = false;   ///< host holds the other end's address; an interface without a link layer needs none
  MacAddress host{};
};

struct IpState {
  explicit IpState(Rcu& rcu) : tables(rcu), local(rcu), addresses(rcu), punt(rcu) {}

  IpTables tables;
  Published<LocalTable> local;
  Published<AddressTable> addresses;
  Published<PuntTarget> punt;
  /// Kinds of messages to the control thread (Registry::control_message); set when the nodes are registered.
  std::uint32_t neighbor_wanted = 0, neighbor_seen = 0, address_conflict = 0;
};

/// Whether a packet that a lookup leads here has to wait for a neighbour. A group is taken apart as the lookup does it.
inline bool must_wait(const ForwardingTable& table, ForwardingIndex index, std::uint32_t flow_hash) noexcept {
  const Forwarding* object = &table.at(index);
  if (object->kind == ForwardingKind::Group) object = &table.at(object->members[flow_hash & (object->group_size - 1u)]);
  return object->kind == ForwardingKind::Connected || object->kind == ForwardingKind::Incomplete;
}

}  // namespace sluice
