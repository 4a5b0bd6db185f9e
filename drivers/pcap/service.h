// SPDX-License-Identifier: Apache-2.0
// `create interface pcap`.
#pragma once
#include <sluice/api.h>
#include <sluice/context.h>

#include "pcap/pcap.pb.h"

namespace sluice::pcap {

class Service {
 public:
  explicit Service(Context& context) : context_(context) {}
  void offer(Api& api);

 private:
  Status create(const Interface& request, Done& done, CallContext& call);
  Context& context_;
};

}  // namespace sluice::pcap
