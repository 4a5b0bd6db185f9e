// SPDX-License-Identifier: Apache-2.0
// IPIP tunnels as the control thread sees them.
#pragma once
#include <sluice/context.h>
#include <sluice/local.h>
#include <sluice/registry.h>
#include <sluice/tunnel/peer.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>

#include "device.h"
#include "tables.h"

namespace sluice::ipip {

struct Remote {
  std::unique_ptr<TunnelPeer> peer;
  std::set<IpAddress> next_hops;  ///< of routes that lead to it; none for the one of a point-to-point tunnel
};

struct Link {  // a tunnel; the message in ipip.proto has that name
  InterfaceIndex interface;
  Options options;
  std::map<IpAddress, Remote> remotes;
};

class Tunnels {
 public:
  static constexpr std::size_t kMaxRemotes = 65536;  ///< of all tunnels

  Tunnels(Context& context, State& state);
  /// When the graph is there.
  Status start();
  void stop();

  /// What create() would refuse.
  Status would_create(const std::string& name, const Options& options) const;
  Status create(const std::string& name, const Options& options);
  /// Of a tunnel without a remote of its own. False: it is so already. Errors: the tunnel has one remote; another
  /// remote has a next hop; the same remote has other next hops; another tunnel has the pair of addresses.
  StatusOr<bool> add_remote(Link& tunnel, const IpAddress& remote, std::set<IpAddress> next_hops, bool dry_run);
  /// False: there is none.
  StatusOr<bool> remove_remote(Link& tunnel, const IpAddress& remote, bool dry_run);

  /// Null when the interface is no IPIP tunnel.
  Link* find(std::string_view name);
  const std::map<InterfaceIndex, Link>& all() const { return tunnels_; }
  void path_mtu(const PathMtu& found);

 private:
  using Pair = std::tuple<IpAddress, IpAddress, std::uint32_t>;  // remote, local, table
  Status check_pair(const IpAddress& local, const IpAddress& remote, std::uint32_t table) const;
  Status connect(Link& tunnel, const IpAddress& remote, std::set<IpAddress> next_hops);
  void publish_encap();
  void forget(const Link& tunnel, const IpAddress& remote);
  void listen_for_packets(bool on);
  void on_interface(Interfaces::Event event, const InterfaceEntry& entry);

  Context& context_;
  State& state_;
  std::map<InterfaceIndex, Link> tunnels_;
  std::map<Pair, InterfaceIndex> pairs_;
  std::unique_ptr<Timer> timer_;
  NodeIndex decap_, errors_;
};

}  // namespace sluice::ipip
