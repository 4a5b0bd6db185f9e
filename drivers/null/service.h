// SPDX-License-Identifier: Apache-2.0
// `create interface null`.
#pragma once
#include <sluice/api.h>
#include <sluice/context.h>

#include "null/null.pb.h"

namespace sluice::null {

class Service {
 public:
  explicit Service(Context& context) : context_(context) {}
  void offer(Api& api);

 private:
  Status create(const Interface& request, Done& done, CallContext& call);
  Context& context_;
};

}  // namespace sluice::null
