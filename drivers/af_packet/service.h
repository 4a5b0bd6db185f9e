// SPDX-License-Identifier: Apache-2.0
// `create interface af-packet`.
#pragma once
#include <sluice/api.h>
#include <sluice/context.h>

#include "af_packet/af_packet.pb.h"
#include "silence.h"

namespace sluice::af_packet {

class Service {
 public:
  explicit Service(Context& context) : context_(context), silences_(context.run_folder()) {}
  void offer(Api& api);
  Status create(const Interface& request, Done& done, CallContext& call);

 private:
  Context& context_;
  Silences silences_;
};

}  // namespace sluice::af_packet
