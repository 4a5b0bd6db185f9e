// SPDX-License-Identifier: Apache-2.0
// `create interface tun`: from the request to the kernel's device and the interface.
#pragma once
#include <sluice/api.h>
#include <sluice/registry.h>
#include <sluice/tun.h>
#include "tun/tun.pb.h"

namespace sluice::tun {

class Service {
 public:
  explicit Service(Registry& registry) : context_(registry.context), driver_(registry, "tun", LinkLayer::Ip) {}
  void offer(Api& api);
  Status create(const Interface& request, Done& done, CallContext& call);

 private:
  Context* context_;
  TunDriver driver_;
};

}  // namespace sluice::tun
