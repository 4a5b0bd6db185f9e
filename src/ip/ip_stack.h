// SPDX-License-Identifier: Apache-2.0
// The IP layer of a node, put together: state, routes, neighbours, own addresses, local delivery, nodes. Control
// thread. Make it before the first interface; destroy it after the workers have stopped.
#pragma once
#include <memory>
#include <string_view>

#include "ip/address_keeper.h"
#include "ip/local_registry.h"
#include "ip/neighbor_manager.h"
#include "ip/route_manager.h"
#include "sluice/context.h"
#include "sluice/registry.h"

namespace sluice {

class IpStack {
 public:
  explicit IpStack(Context& context);
  ~IpStack();
  IpStack(const IpStack&) = delete;
  IpStack& operator=(const IpStack&) = delete;

  /// Adds nodes, arcs, messages, and what runs at start and stop.
  void register_nodes(Registry& registry);

  IpState& state() { return state_; }
  RouteManager& routes() { return routes_; }
  NeighborManager& neighbors() { return neighbors_; }
  AddressKeeper& addresses() { return addresses_; }
  LocalDelivery& local() { return local_; }

 private:
  static constexpr std::chrono::milliseconds kTick{100};
  void send(InterfaceIndex interface, const FrameBytes& frame);
  void tick();

  Context& context_;
  IpState state_;
  RouteManager routes_;
  NeighborManager neighbors_;
  AddressKeeper addresses_;
  LocalRegistry local_;
  NodeIndex output_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace sluice
