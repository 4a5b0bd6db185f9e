// SPDX-License-Identifier: Apache-2.0
// The operations of pod.proto.
#pragma once
#include <sluice/api.h>

#include "pod/pod.pb.h"
#include "pods.h"

namespace sluice::pod {

class Service {
 public:
  Service(Pods& pods, Context& context) : pods_(pods), context_(context) {}
  void offer(Api& api);

 private:
  Status create(const PodRequest& request, Done& done, CallContext& call);
  Status remove(const PodName& request, Done& done, CallContext& call);
  Stream<PodState> show(const PodQuery& query);

  Pods& pods_;
  Context& context_;
};

}  // namespace sluice::pod
