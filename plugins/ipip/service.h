// SPDX-License-Identifier: Apache-2.0
// The operations of ipip.proto.
#pragma once
#include <sluice/api.h>

#include "ipip/ipip.pb.h"
#include "tunnels.h"

namespace sluice::ipip {

class Service {
 public:
  Service(Tunnels& tunnels, Context& context) : tunnels_(tunnels), context_(context) {}
  void offer(Api& api);

 private:
  Status create(const Interface& request, Done& done, CallContext& call);
  Status add_remote(const RemoteRequest& request, Done& done, CallContext& call);
  Status remove_remote(const DeleteRemoteRequest& request, Done& done, CallContext& call);
  Stream<ipip::Tunnel> show(const TunnelQuery& query);
  StatusOr<Link*> find(const std::string& name);
  ipip::Tunnel describe(const Link& link, const InterfaceEntry& entry) const;
  static void describe(const IpAddress& address, const Remote& remote, ipip::Tunnel& row);

  Tunnels& tunnels_;
  Context& context_;
};

}  // namespace sluice::ipip
