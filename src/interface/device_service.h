// SPDX-License-Identifier: Apache-2.0
// The operations of device.proto.
#pragma once
#include "core/dataplane.h"
#include "interface/device.pb.h"
#include "sluice/api.h"
#include "sluice/interfaces.h"

namespace sluice::interface {

class DeviceService {
 public:
  DeviceService(Dataplane& dataplane, const Interfaces& interfaces, const Features& features)
      : dataplane_(dataplane), interfaces_(interfaces), features_(features) {}
  void offer(Api& api);

 private:
  Stream<DeviceCard> show(const DeviceQuery& query);
  DeviceCard card(const InterfaceEntry& entry) const;
  std::string rss(const InterfaceEntry& entry) const;

  Dataplane& dataplane_;
  const Interfaces& interfaces_;
  const Features& features_;
};

}  // namespace sluice::interface
