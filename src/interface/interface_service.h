// SPDX-License-Identifier: Apache-2.0
// The operations of interface.proto.
#pragma once
#include <string>

#include "core/dataplane.h"
#include "interface/interface.pb.h"
#include "sluice/api.h"
#include "sluice/interfaces.h"
#include "sluice/routes.h"

namespace sluice::interface {

class InterfaceService {
 public:
  /// routes may be null (tests): then no pod has any address.
  InterfaceService(Dataplane& dataplane, Interfaces& interfaces, Features& features, const Routes* routes = nullptr)
      : dataplane_(dataplane), interfaces_(interfaces), features_(features), routes_(routes) {}
  void offer(Api& api);

 private:
  Stream<Interface> show(const InterfaceQuery& query);
  Stream<Address> show_address(const InterfaceQuery& query);
  Stream<Feature> show_features(const FeatureQuery& query);
  Stream<Placement> show_placement(const InterfaceQuery& query);
  Status set_state(const StateRequest& request, Done& done, CallContext& call);
  Status set_mtu(const MtuRequest& request, Done& done, CallContext& call);
  Status add_address(const AddressRequest& request, Done& done, CallContext& call);
  Status delete_address(const AddressRequest& request, Done& done, CallContext& call);
  Status set_rx_mode(const RxModeRequest& request, Done& done, CallContext& call);
  Status set_rx_placement(const RxPlacementRequest& request, Done& done, CallContext& call);
  Status set_rss(const RssRequest& request, Done& done, CallContext& call);
  Status create_vlan(const VlanRequest& request, Done& done, CallContext& call);
  Status delete_interface(const DeleteRequest& request, Done& done, CallContext& call);
  Status set_feature(const FeatureRequest& request, Done& done, CallContext& call);

  StatusOr<const InterfaceEntry*> entry(std::string_view name) const;
  /// Whether another interface of the table, a pod or the host tap has the address.
  Status check_free(const InterfaceEntry& entry, const IpAddress& address) const;
  std::vector<std::string> names(const std::string& only) const;
  Interface message(const InterfaceEntry& entry) const;

  Dataplane& dataplane_;
  Interfaces& interfaces_;
  Features& features_;
  const Routes* routes_;
};

}  // namespace sluice::interface
