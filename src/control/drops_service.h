// SPDX-License-Identifier: Apache-2.0
// The service sluice.drops.Drops.
#pragma once
#include "control/drops.pb.h"
#include "core/dataplane.h"
#include "sluice/api.h"
#include "sluice/interfaces.h"

namespace sluice::drops {

class DropsService {
 public:
  DropsService(Dataplane& dataplane, Interfaces& interfaces) : dataplane_(dataplane), interfaces_(interfaces) {}
  void offer(Api& api);

 private:
  struct Sample {
    DropSample drop;
    unsigned worker;
  };
  std::vector<Sample> samples() const;
  Dropped message(const Sample& sample) const;
  Stream<Dropped> show(const DropQuery& query);

  Dataplane& dataplane_;
  Interfaces& interfaces_;
};

}  // namespace sluice::drops
