// SPDX-License-Identifier: Apache-2.0
// `create interface af-xdp`, and the deny list of all of them.
#pragma once
#include <sluice/api.h>
#include <sluice/context.h>

#include "af_xdp/af_xdp.pb.h"
#include "deny_list.h"

namespace sluice::af_xdp {

class Service {
 public:
  explicit Service(Context& context) : context_(context) {}
  void offer(Api& api);
  Status create(const Interface& request, Done& done, CallContext& call);
  Status deny(const Denied& request, Done& done, CallContext& call);
  Status allow(const Denied& request, Done& done, CallContext& call);
  Stream<DeniedState> show(const Nothing& request);

 private:
  Context& context_;
  DenyList denied_;
};

}  // namespace sluice::af_xdp
