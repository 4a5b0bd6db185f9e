// SPDX-License-Identifier: Apache-2.0
// Route tables: what each source wants for a prefix, which of it counts, and what the FIB leads to.
//
// A route's next hops are adjacencies, shared (adjacency_pool.h); several make a Group that belongs to the route. A
// next hop without an interface is resolved through its own table: `trackers` knows which prefixes depend on which
// address, and a change of a prefix refreshes the dependants of the addresses under it.
#pragma once
#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "ip/adjacency_pool.h"
#include "sluice/interfaces.h"
#include "sluice/routes.h"

namespace sluice {

class RouteManager final : public Routes {
 public:
  static constexpr std::uint32_t kMaxTables = FibTables<Ip4Address>::kCapacity;

  RouteManager(IpTables& tables, Interfaces& interfaces, std::uint32_t max_tables = kMaxTables);
  ~RouteManager() override;

  StatusOr<TableIndex> table(std::uint32_t id) override;
  std::vector<std::uint32_t> tables() const override;
  StatusOr<bool> add(std::uint32_t table, const IpPrefix& prefix, RouteSource source, const RouteSpec& spec) override;
  StatusOr<bool> would_add(std::uint32_t table, const IpPrefix& prefix, RouteSource source,
                           const RouteSpec& spec) const override;
  StatusOr<bool> set(std::uint32_t table, const IpPrefix& prefix, RouteSource source, const RouteSpec& spec) override;
  bool remove(std::uint32_t table, const IpPrefix& prefix, RouteSource source) override;
  std::optional<RouteEntry> find(std::uint32_t table, const IpPrefix& prefix) const override;
  std::optional<RouteEntry> lookup(std::uint32_t table, const IpAddress& address) const override;
  std::optional<RouteEntry> next(std::uint32_t table, bool ip6, const std::optional<IpPrefix>& after) const override;
  std::size_t size(std::uint32_t table, bool ip6) const override;
  std::string describe(ForwardingIndex forwarding) const override;
  std::vector<ForwardingPath> paths(ForwardingIndex forwarding) const override;
  std::vector<std::pair<RouteSource, RouteSpec>> wanted(std::uint32_t table, const IpPrefix& prefix) const override;
  std::unique_ptr<RouteFollower> follow(std::uint32_t table, const IpAddress& address, InterfaceIndex by,
                                        std::function<void(const FollowedRoute&)> changed) override;
  const IpTables& data_path() const override { return ip_; }
  void complete_neighbor(InterfaceIndex interface, const IpAddress& address, const MacAddress& mac) override;
  void fail_neighbor(InterfaceIndex interface, const IpAddress& address) override;
  void forget_neighbor(InterfaceIndex interface, const IpAddress& address) override;

 private:
  static constexpr unsigned kMaxDepth = 4;  // of routes resolved through routes
  static constexpr std::uint16_t kGroupSize = 64;

  /// The order of prefixes, by words: comparing is most of what an addition to a full table costs.
  struct InOrder {
    bool operator()(const IpPrefix& a, const IpPrefix& b) const {
      if (a.is_ip6() != b.is_ip6()) return b.is_ip6();
      const Ip6Address x = a.address.ip6(), y = b.address.ip6();
      if (word(x, 0) != word(y, 0)) return word(x, 0) < word(y, 0);
      return word(x, 8) != word(y, 8) ? word(x, 8) < word(y, 8) : a.length < b.length;
    }
    static std::uint64_t word(const Ip6Address& address, std::size_t at) {
      std::uint64_t bytes;
      std::memcpy(&bytes, address.bytes.data() + at, sizeof bytes);
      return __builtin_bswap64(bytes);
    }
  };
  using Prefixes = std::set<IpPrefix, InOrder>;
  class Follower;
  struct Route {
    std::map<RouteSource, RouteSpec> specs;
    // What is installed now.
    std::optional<RouteSource> active;
    ForwardingIndex forwarding;
    bool own_group = false;
    std::vector<AdjacencyPool::Key> held;

    /// False also while the spec that was active is being removed.
    bool leads() const { return active && specs.contains(*active); }
  };
  struct Table {
    std::uint32_t id = 0;
    TableIndex slot;
    Fib<Ip4Address> fib4;
    Fib<Ip6Address> fib6;
    std::map<IpPrefix, Route, InOrder> routes;
    std::map<IpAddress, Prefixes> trackers;
    std::multimap<IpAddress, Follower*> followers;
    std::size_t count[2] = {0, 0};
    /// Since nothing is in it, no packet can be that was looked up in it.
    std::shared_ptr<std::atomic<bool>> quiet = std::make_shared<std::atomic<bool>>(true);
    Table(FibNodes& nodes4, FibNodes& nodes6) : fib4(nodes4), fib6(nodes6) {}
  };
  struct Member {
    AdjacencyPool::Key key;  ///< without a next hop address: the destination itself is on the link
    bool on_link = false;
    std::uint32_t weight = 1;
  };
  /// What a spec comes to now: an object that all share, or adjacencies.
  struct Resolved {
    bool live = false;
    ForwardingIndex shared;
    std::vector<Member> members;
  };

  // route_resolve.cc
  Resolved resolve(const Table& table, const IpPrefix& prefix, const RouteSpec& spec, unsigned depth) const;
  void resolve_via(const Table& table, const IpPrefix& prefix, const NextHop& hop, unsigned depth, Resolved& out) const;
  bool usable(InterfaceIndex interface) const;
  Status refresh(Table& table, const IpPrefix& prefix);
  Status refresh(Table& table, const IpPrefix& prefix, Route& route);
  Status install(Table& table, const IpPrefix& prefix, Route& route, RouteSource source, const Resolved& resolved);
  void uninstall(Table& table, const IpPrefix& prefix, Route& route);
  void let_go(Route& route);
  std::optional<ForwardingIndex> make_group(const Route& route,
                                            const std::vector<std::pair<ForwardingIndex, std::uint32_t>>& members);
  void refresh_dependants(Table& table, const IpPrefix& prefix, unsigned depth);
  const std::pair<const IpPrefix, Route>* covering(const Table& table, const IpAddress& address, bool neighbors) const;
  Status set_fib(Table& table, const IpPrefix& prefix, ForwardingIndex target);
  void track(Table& table, const IpPrefix& prefix, const RouteSpec& spec);
  void untrack(Table& table, const IpPrefix& prefix, RouteSource source);

  // route_followers.cc
  void tell_followers(const Table& table, const IpPrefix& prefix);
  void look_again(Follower& follower);
  bool through_tunnel(ForwardingIndex forwarding) const;
  std::vector<InterfaceIndex> find_loop(const Follower& follower) const;
  FollowedRoute route_for(const Follower& follower) const;
  void tell(Follower& follower);
  void tell_all_loops();

  // route_manager.cc, route_queries.cc
  Status check(const Table* table, const IpPrefix& prefix, const RouteSpec& spec) const;
  Table* find_table(std::uint32_t id) const;
  bool unused(const Table& table) const;
  void rest(Table* table);
  using TableMap = std::map<std::uint32_t, std::unique_ptr<Table>>;
  TableMap::const_iterator spare() const;
  Status no_table(std::uint32_t id) const;
  RouteEntry entry_of(const IpPrefix& prefix, const Route& route) const;

  // interface_routes.cc
  void on_interface(Interfaces::Event event, const InterfaceEntry& entry, const InterfaceAddress* address);
  void add_address(const InterfaceEntry& entry, const InterfaceAddress& address);
  void remove_address(const InterfaceEntry& entry, const InterfaceAddress& address);
  void remove_addresses(const InterfaceEntry& entry);
  /// The addresses of a table's interfaces without this one, as it is while it goes.
  std::vector<InterfaceAddress> other_addresses(std::uint32_t table, const InterfaceEntry& entry,
                                                const InterfaceAddress& address) const;
  void refresh_interface(InterfaceIndex interface);
  void forget_interface(const InterfaceEntry& entry);
  void move_to_table(const InterfaceEntry& entry);
  void update_link(const InterfaceEntry& entry, bool gone);
  void know_neighbor(InterfaceIndex interface, const IpAddress& address, bool answers);
  void route_to_neighbor(std::uint32_t table, const IpAddress& address);
  bool asked_everywhere(std::uint32_t table, const IpAddress& address, const RouteSpec& in_vain) const;
  std::vector<IpAddress> neighbors_of(InterfaceIndex interface) const;
  ForwardingIndex direct(InterfaceIndex interface) const;

  IpTables& ip_;
  Interfaces& interfaces_;
  AdjacencyPool adjacencies_;
  ForwardingIndex local_, blackhole_, unreachable_, prohibit_;
  const std::uint32_t max_tables_;
  TableMap tables_;
  /// Prefixes whose specs name an interface.
  std::map<InterfaceIndex, std::set<std::pair<std::uint32_t, IpPrefix>>> by_interface_;
  /// Those that were asked for, on which interfaces (the same subnet may be on several), and whether they answer.
  std::map<IpAddress, std::map<InterfaceIndex, bool>> neighbors_;
  std::map<InterfaceIndex, std::uint32_t> interface_tables_;
  /// What a destination on the link itself leads to.
  std::map<InterfaceIndex, ForwardingIndex> directs_;
  std::map<InterfaceIndex, std::set<Follower*>> tunnels_;
  std::string new_loop_;  ///< the first that came up since it was cleared
};

}  // namespace sluice
