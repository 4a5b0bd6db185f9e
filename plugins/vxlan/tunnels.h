// SPDX-License-Identifier: Apache-2.0
// VXLAN tunnels as the control thread sees them.
#pragma once
#include <sluice/context.h>
#include <sluice/local.h>
#include <sluice/registry.h>
#include <sluice/tunnel/peer.h>

#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "device.h"
#include "tables.h"

namespace sluice::vxlan {

struct Link {  // a tunnel; the message in vxlan.proto has that name
  InterfaceIndex interface;
  Options options;
  std::map<IpAddress, std::unique_ptr<TunnelPeer>> remotes;
  std::map<MacAddress, IpAddress> addresses;  ///< behind which remote a destination address is
};

class Tunnels {
 public:
  static constexpr std::size_t kMaxRemotes = 65536;    ///< of all tunnels
  static constexpr std::size_t kMaxAddresses = 65536;  ///< of one tunnel

  Tunnels(Context& context, State& state);
  /// When the graph is there.
  Status start();
  void stop();

  /// What create() would refuse.
  Status would_create(const Options& options) const;
  Status create(const Options& options);
  /// False: it is so already. Errors: the address is behind another remote; another tunnel has VNI and remote.
  StatusOr<bool> add_address(Link& tunnel, const MacAddress& mac, const IpAddress& remote, bool dry_run);
  /// False: there is none.
  StatusOr<bool> remove_address(Link& tunnel, const MacAddress& mac, bool dry_run);

  /// Null when the interface is no VXLAN tunnel.
  Link* find(std::string_view name);
  const std::map<InterfaceIndex, Link>& all() const { return tunnels_; }
  void path_mtu(const PathMtu& found);

 private:
  using Way = std::tuple<IpAddress, IpAddress, std::uint32_t, std::uint16_t, std::uint32_t>;  // see way_of()
  static Way way_of(const Options& options, const IpAddress& remote) {
    return {remote, options.local, options.vni, options.port, options.table};
  }
  Status check_way(const Options& options, const IpAddress& remote) const;
  Status connect(Link& tunnel, const IpAddress& remote);
  void publish_encap();
  void set_decap(const Link& tunnel, const IpAddress& remote, bool on);
  Status listen_on(std::uint16_t port);
  void leave(std::uint16_t port);
  void on_interface(Interfaces::Event event, const InterfaceEntry& entry);

  Context& context_;
  State& state_;
  std::map<InterfaceIndex, Link> tunnels_;
  std::map<Way, InterfaceIndex> ways_;
  std::map<std::uint16_t, std::size_t> ports_;  ///< how many tunnels have each
  std::unique_ptr<Timer> timer_;
  NodeIndex decap_, errors_;
};

}  // namespace sluice::vxlan
