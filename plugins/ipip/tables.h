// SPDX-License-Identifier: Apache-2.0
// What the nodes of IPIP tunnels read.
#pragma once
#include <sluice/ip_tables.h>
#include <sluice/published.h>
#include <sluice/tunnel/demux.h>
#include <sluice/tunnel/encapsulate.h>
#include <sluice/tunnel/remote.h>

#include <vector>

namespace sluice::ipip {

/// By which remote a packet leaves.
struct EncapTable {
  std::vector<const TunnelRemote*> by_slot;  ///< of point-to-point tunnels, by the interface's slot
  // Of the others: the next hop chooses; id is the interface's slot, the value a place in remotes.
  DemuxTable<TunnelKey4> next_hops4;
  DemuxTable<TunnelKey6> next_hops6;
  std::vector<const TunnelRemote*> remotes;

  static TunnelKey4 key(const Ip4Address& next_hop, InterfaceIndex tunnel) {
    return TunnelKey4::of(next_hop, {}, tunnel.slot());
  }
  static TunnelKey6 key(const Ip6Address& next_hop, InterfaceIndex tunnel) {
    return TunnelKey6::of(next_hop, {}, tunnel.slot());
  }
};

/// By which tunnel a packet came. Keys: outer source and destination, id the table's slot.
struct DecapTable {
  DemuxTable<TunnelKey4> ip4;
  DemuxTable<TunnelKey6> ip6;
};

/// A router has dropped an outer packet. From ipip-errors to the control thread.
struct PathMtu {
  IpAddress local, remote;
  TableIndex table;
  std::uint32_t mtu;  ///< of the outer packet
};

struct State {
  State(Rcu& rcu, const IpTables* tables) : encap(rcu), decap(rcu), ip(tables) {}
  Published<EncapTable> encap;
  Published<DecapTable> decap;
  const IpTables* ip;
  TunnelArcs arcs;             ///< set when the graph is there
  std::uint32_t path_mtu = 0;  ///< kind of message, set when the nodes are registered
};

}  // namespace sluice::ipip
