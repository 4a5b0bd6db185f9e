// SPDX-License-Identifier: Apache-2.0
// `create interface af-packet`, and the watch over the kernel's interfaces that are used.
#pragma once
#include <sluice/api.h>
#include <sluice/context.h>

#include <memory>

#include "af_packet/af_packet.pb.h"
#include "silence.h"

namespace sluice::af_packet {

class Service {
 public:
  explicit Service(Context& context) : context_(context), silences_(context.run_folder()) {}
  void offer(Api& api);
  /// Begins to look for interfaces that the kernel has removed.
  void start();
  void stop() { timer_.reset(); }
  Status create(const Interface& request, Done& done, CallContext& call);

 private:
  void look() const;
  Context& context_;
  Silences silences_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace sluice::af_packet
