// SPDX-License-Identifier: Apache-2.0
// The operations of vxlan.proto.
#pragma once
#include <sluice/api.h>

#include "tunnels.h"
#include "vxlan/vxlan.pb.h"

namespace sluice::vxlan {

class Service {
 public:
  Service(Tunnels& tunnels, Context& context) : tunnels_(tunnels), context_(context) {}
  void offer(Api& api);

 private:
  Status create(const Interface& request, Done& done, CallContext& call);
  Status add_fdb(const FdbRequest& request, Done& done, CallContext& call);
  Status remove_fdb(const DeleteFdbRequest& request, Done& done, CallContext& call);
  Stream<vxlan::Tunnel> show(const TunnelQuery& query);
  Stream<FdbEntry> show_fdb(const TunnelQuery& query);
  StatusOr<Link*> find(const std::string& name);
  vxlan::Tunnel describe(const Link& link, const InterfaceEntry& entry) const;
  static void describe(const Link& link, const IpAddress& remote, const TunnelPeer& peer, vxlan::Tunnel& row);

  Tunnels& tunnels_;
  Context& context_;
};

}  // namespace sluice::vxlan
