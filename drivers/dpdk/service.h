// SPDX-License-Identifier: Apache-2.0
// `create interface dpdk`.
#pragma once
#include <sluice/api.h>
#include <sluice/context.h>

#include "dpdk/dpdk.pb.h"
#include "eal.h"

namespace sluice::dpdk {

class Service {
 public:
  explicit Service(Context& context) : context_(context) {}
  void offer(Api& api);
  Status create(const Interface& request, Done& done, CallContext& call);

 private:
  StatusOr<OpenFunction*> load();

  Context& context_;
  OpenFunction* open_ = nullptr;
};

}  // namespace sluice::dpdk
