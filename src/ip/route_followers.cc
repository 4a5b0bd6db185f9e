// SPDX-License-Identifier: Apache-2.0
// Who follows a route: tunnels, whose packets go on to a remote's address.
#include <algorithm>
#include <utility>

#include "ip/route_manager.h"
#include "sluice/log.h"

namespace sluice {

class RouteManager::Follower final : public RouteFollower {
 public:
  Follower(RouteManager& m, std::uint32_t t, const IpAddress& a, InterfaceIndex b,
           std::function<void(const FollowedRoute&)> f)
      : manager(m), table(t), address(a), by(b), changed(std::move(f)) {}
  ~Follower() override {
    if (Table* in = manager.find_table(table)) {
      std::erase_if(in->followers, [&](const auto& each) { return each.second == this; });
      manager.rest(in);
    }
    const auto it = manager.tunnels_.find(by);
    it->second.erase(this);
    if (it->second.empty()) manager.tunnels_.erase(it);
    if (in_tunnel) manager.tell_all_loops();
  }
  const FollowedRoute& now() const override { return told; }

  RouteManager& manager;
  const std::uint32_t table;
  const IpAddress address;
  const InterfaceIndex by;
  const std::function<void(const FollowedRoute&)> changed;
  ForwardingIndex forwarding;  ///< whatever loops there are
  bool connected = false;
  bool in_tunnel = false;  ///< it leads through an interface that others follow by
  FollowedRoute told;
};

std::unique_ptr<RouteFollower> RouteManager::follow(std::uint32_t id, const IpAddress& address, InterfaceIndex by,
                                                    std::function<void(const FollowedRoute&)> changed) {
  if (!table(id).ok()) return nullptr;
  auto made = std::make_unique<Follower>(*this, id, address, by, std::move(changed));
  find_table(id)->followers.emplace(address, made.get());
  tunnels_[by].insert(made.get());
  if (tunnels_[by].size() == 1) tell_all_loops();  // what leads through this interface may go on from now
  look_again(*made);
  tell(*made);
  return made;
}

/// After a prefix came, went or leads elsewhere.
void RouteManager::tell_followers(const Table& table, const IpPrefix& prefix) {
  for (auto it = table.followers.lower_bound(prefix.address); it != table.followers.end() && prefix.contains(it->first);
       ++it) {
    look_again(*it->second);
  }
}

void RouteManager::look_again(Follower& follower) {
  const Table* table = find_table(follower.table);
  const auto* found = table ? covering(*table, follower.address, true) : nullptr;
  const auto* subnet = table ? covering(*table, follower.address, false) : nullptr;
  const ForwardingIndex before =
      std::exchange(follower.forwarding, found ? found->second.forwarding : ForwardingIndex{});
  const bool was_connected =
      std::exchange(follower.connected, subnet && subnet->second.active == RouteSource::Connected &&
                                            subnet->second.forwarding != blackhole_);
  const bool was_in_tunnel = std::exchange(follower.in_tunnel, through_tunnel(follower.forwarding));
  if (was_in_tunnel || follower.in_tunnel) {
    tell_all_loops();
  } else if (before != follower.forwarding || was_connected != follower.connected) {
    tell(follower);
  }
}

bool RouteManager::through_tunnel(ForwardingIndex forwarding) const {
  if (!forwarding.valid()) return false;
  const auto leads = paths(forwarding);
  return std::any_of(leads.begin(), leads.end(), [&](const auto& path) { return tunnels_.contains(path.interface); });
}

/// The interfaces on a follower's way back to its own; empty: it does not lead there.
std::vector<InterfaceIndex> RouteManager::find_loop(const Follower& first) const {
  std::map<InterfaceIndex, InterfaceIndex> came_from;
  std::vector<InterfaceIndex> open;
  const auto reach = [&](InterfaceIndex from, const Follower& follower) {
    if (!follower.in_tunnel) return false;
    for (const ForwardingPath& path : paths(follower.forwarding)) {
      if (!path.interface.valid() || !came_from.try_emplace(path.interface, from).second) continue;
      if (path.interface == first.by) return true;
      open.push_back(path.interface);
    }
    return false;
  };
  bool back = reach(first.by, first);
  while (!back && !open.empty()) {
    const InterfaceIndex at = open.back();
    open.pop_back();
    const auto tunnel = tunnels_.find(at);
    if (tunnel == tunnels_.end()) continue;
    for (const Follower* follower : tunnel->second) back = back || reach(at, *follower);
  }
  if (!back) return {};
  std::vector<InterfaceIndex> loop{first.by};
  for (InterfaceIndex at = came_from.at(first.by); at != first.by; at = came_from.at(at)) loop.push_back(at);
  loop.push_back(first.by);
  std::reverse(loop.begin(), loop.end());
  return loop;
}

FollowedRoute RouteManager::route_for(const Follower& follower) const {
  if (!follower.in_tunnel) return {follower.forwarding, follower.connected, {}};
  FollowedRoute route;
  for (const InterfaceIndex each : find_loop(follower)) {
    route.loop += (route.loop.empty() ? "" : " -> ") + interfaces_.name(each);
  }
  if (route.loop.empty()) route.forwarding = follower.forwarding;
  route.connected = follower.connected;
  return route;
}

void RouteManager::tell(Follower& follower) {
  FollowedRoute route = route_for(follower);
  if (route == follower.told) return;
  if (!route.loop.empty() && follower.told.loop.empty()) {
    if (new_loop_.empty()) new_loop_ = route.loop;
    log(LogLevel::Warning, "tunnel leads through itself", field("remote", follower.address.to_string()),
        field("loop", route.loop));
  }
  follower.told = std::move(route);
  follower.changed(follower.told);
}

/// What leads through a tunnel has changed, and so may the way of each that leads through one.
void RouteManager::tell_all_loops() {
  for (const auto& [_, followers] : tunnels_) {
    for (Follower* follower : followers) {
      follower->in_tunnel = through_tunnel(follower->forwarding);
      tell(*follower);
    }
  }
}

}  // namespace sluice
