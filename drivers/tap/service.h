// SPDX-License-Identifier: Apache-2.0
// `create interface tap`: from the request to the kernel's device and the interface.
#pragma once
#include <sluice/api.h>
#include <sluice/registry.h>
#include <sluice/tun.h>
#include "tap/tap.pb.h"

namespace sluice::tap {

class Service {
 public:
  explicit Service(Registry& registry) : context_(registry.context), driver_(registry, "tap", LinkLayer::Ethernet) {}
  void offer(Api& api);
  Status create(const Interface& request, Done& done, CallContext& call);

 private:
  Context* context_;
  TunDriver driver_;
};

}  // namespace sluice::tap
