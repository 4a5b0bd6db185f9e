// SPDX-License-Identifier: Apache-2.0
// The operations of neighbor.proto.
#pragma once
#include "ip/address_keeper.h"
#include "ip/neighbor.pb.h"
#include "ip/neighbor_manager.h"
#include "sluice/api.h"

namespace sluice::ip {

class NeighborService {
 public:
  NeighborService(IpState& state, NeighborManager& neighbors, AddressKeeper& addresses, LocalDelivery& local,
                  Interfaces& interfaces)
      : state_(state), neighbors_(neighbors), addresses_(addresses), local_(local), interfaces_(interfaces) {}
  void offer(Api& api);

 private:
  Stream<Neighbor> show(const NeighborQuery& query);
  Status add(const NeighborRequest& request, Done& done, CallContext& call);
  Status remove(const DeleteNeighborRequest& request, Done& done, CallContext& call);
  Status set_punt(const PuntRequest& request, Done& done, CallContext& call);
  Status delete_punt(const Nothing& request, Done& done, CallContext& call);
  Status show_punt(const Nothing& request, Punt& punt, CallContext& call);
  StatusOr<InterfaceIndex> find(const std::string& name) const;

  IpState& state_;
  NeighborManager& neighbors_;
  AddressKeeper& addresses_;
  LocalDelivery& local_;
  Interfaces& interfaces_;
};

}  // namespace sluice::ip
