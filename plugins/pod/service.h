// SPDX-License-Identifier: Apache-2.0
// The operations of pod.proto.
#pragma once
#include <sluice/api.h>

#include "host_tap.h"
#include "pod/pod.pb.h"
#include "pods.h"

namespace sluice::pod {

class Service {
 public:
  Service(Pods& pods, HostTap& host_tap, Context& context) : pods_(pods), host_tap_(host_tap), context_(context) {}
  void offer(Api& api);

 private:
  Status create(const PodRequest& request, Done& done, CallContext& call);
  Status remove(const PodName& request, Done& done, CallContext& call);
  Status create_host_tap(const HostTapRequest& request, Done& done, CallContext& call);
  Status remove_host_tap(const HostTapName& request, Done& done, CallContext& call);
  Stream<PodState> show(const PodQuery& query);

  Pods& pods_;
  HostTap& host_tap_;
  Context& context_;
};

}  // namespace sluice::pod
