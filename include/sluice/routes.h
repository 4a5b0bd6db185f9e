// SPDX-License-Identifier: Apache-2.0
// Route tables (VRFs) as the control thread sees them. Every call is made on the control thread; an error has changed
// nothing.
#pragma once
#include <sluice/forwarding.h>
#include <sluice/net/address.h>
#include <sluice/status.h>
#include <sluice/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

struct IpTables;

/// Who wants a route. Of several for one prefix the first in this order counts.
enum class RouteSource : std::uint8_t {
  Local,      ///< this node's own addresses
  Connected,  ///< subnets of interfaces
  Pod,
  Static,
  Neighbor,  ///< hosts of connected subnets, while they are known
};

enum class RouteKind : std::uint8_t { Forward, Local, Blackhole, Unreachable, Prohibit };

/// via alone is resolved through the same table, again whenever the covering route changes; interface alone means that
/// the destination is on the link.
struct NextHop {
  std::optional<IpAddress> via;
  InterfaceIndex interface;
  std::uint32_t weight = 1;
  friend bool operator==(const NextHop&, const NextHop&) = default;
};

struct RouteSpec {
  static constexpr std::size_t kMaxNextHops = 64;
  RouteKind kind = RouteKind::Forward;
  std::vector<NextHop> next_hops;
  friend bool operator==(const RouteSpec&, const RouteSpec&) = default;
};

/// One route as `show ip fib` prints it.
struct RouteEntry {
  IpPrefix prefix;
  RouteSource source;
  RouteSpec spec;
  bool live = false;           ///< false: no next hop is reachable; a less specific route counts instead
  ForwardingIndex forwarding;  ///< what the FIB leads to
};

/// One way that a forwarding object offers: itself, or a member of a Group.
struct ForwardingPath {
  ForwardingIndex index;
  ForwardingKind kind = ForwardingKind::NoRoute;
  InterfaceIndex interface;
  IpAddress next_hop;                 ///< unspecified when the destination itself is on the link
  std::vector<std::uint8_t> rewrite;  ///< the link-layer header, once it is known
  std::uint32_t mtu = 0;              ///< layer 3; 0: the interface's
  std::uint32_t buckets = 1, of = 1;  ///< its share of the flows
};

/// Where packets for an address go now.
struct FollowedRoute {
  ForwardingIndex forwarding;  ///< not valid: nowhere, or in a loop
  bool connected = false;      ///< the address is on a subnet of the node's interfaces
  std::string loop;            ///< "ipip0 -> vxlan1 -> ipip0": the only way is through the follower's own interface
  friend bool operator==(const FollowedRoute&, const FollowedRoute&) = default;
};

/// Follows a route until it is destroyed; that must be before the Routes are.
class SLUICE_API RouteFollower {
 public:
  virtual ~RouteFollower() = default;
  virtual const FollowedRoute& now() const = 0;
};

class SLUICE_API Routes {
 public:
  static constexpr std::uint32_t kMaxWeight = 100;

  virtual ~Routes() = default;

  /// The slot of a table, which is made when it does not exist. Errors: there are FibTables::kCapacity tables.
  virtual StatusOr<TableIndex> table(std::uint32_t id) = 0;
  /// Ids of all tables, ascending.
  virtual std::vector<std::uint32_t> tables() const = 0;

  /// False: the same route exists. Errors: the same source has another route for the prefix (the text says which); more
  /// than kMaxNextHops next hops; a next hop of the other family, or one that is this node's own address; no room.
  virtual StatusOr<bool> add(std::uint32_t table, const IpPrefix& prefix, RouteSource source,
                             const RouteSpec& spec) = 0;
  /// What add() would return, and nothing is changed.
  virtual StatusOr<bool> would_add(std::uint32_t table, const IpPrefix& prefix, RouteSource source,
                                   const RouteSpec& spec) const = 0;
  /// Adds or replaces.
  virtual StatusOr<bool> set(std::uint32_t table, const IpPrefix& prefix, RouteSource source,
                             const RouteSpec& spec) = 0;
  /// False: there is none.
  virtual bool remove(std::uint32_t table, const IpPrefix& prefix, RouteSource source) = 0;

  /// The route that counts for exactly this prefix.
  virtual std::optional<RouteEntry> find(std::uint32_t table, const IpPrefix& prefix) const = 0;
  /// The longest match that is live.
  virtual std::optional<RouteEntry> lookup(std::uint32_t table, const IpAddress& address) const = 0;
  /// In the order of prefixes: the first behind `after`, or the first of all. A cursor by key: routes may change
  /// between two calls.
  virtual std::optional<RouteEntry> next(std::uint32_t table, bool ip6, const std::optional<IpPrefix>& after) const = 0;
  virtual std::size_t size(std::uint32_t table, bool ip6) const = 0;
  /// A forwarding object in words: "via 10.0.0.1 eth0", "blackhole", "local" …
  virtual std::string describe(ForwardingIndex forwarding) const = 0;
  /// Where it sends packets; members of a Group in the order of their indices.
  virtual std::vector<ForwardingPath> paths(ForwardingIndex forwarding) const = 0;
  /// What each source wants for this prefix, the preferred first.
  virtual std::vector<std::pair<RouteSource, RouteSpec>> wanted(std::uint32_t table, const IpPrefix& prefix) const = 0;

  /// For tunnels: what interface `by` sends goes on to address. changed is called after each change of where that
  /// leads, and must change no routes. A static route that would lead `by` through itself is refused from then on.
  virtual std::unique_ptr<RouteFollower> follow(std::uint32_t table, const IpAddress& address, InterfaceIndex by,
                                                std::function<void(const FollowedRoute&)> changed) = 0;
  /// The objects themselves, for kernels; good until the workers have stopped.
  virtual const IpTables& data_path() const = 0;

  // The neighbour manager's.
  virtual void complete_neighbor(InterfaceIndex interface, const IpAddress& address, const MacAddress& mac) = 0;
  /// Nobody answers: packets for it are answered with unreachable.
  virtual void fail_neighbor(InterfaceIndex interface, const IpAddress& address) = 0;
  /// It is to be resolved again when the next packet comes.
  virtual void forget_neighbor(InterfaceIndex interface, const IpAddress& address) = 0;
};

SLUICE_API std::string_view to_string(RouteSource source);
SLUICE_API std::string_view to_string(RouteKind kind);

}  // namespace sluice
