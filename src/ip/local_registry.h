// SPDX-License-Identifier: Apache-2.0
// Who takes packets for this node: the control side of LocalTable.
#pragma once
#include "ip/state.h"
#include "sluice/local.h"

namespace sluice {

class LocalRegistry final : public LocalDelivery {
 public:
  explicit LocalRegistry(IpState& state) : state_(state) {}
  Status add_protocol(IpFamily family, std::uint8_t protocol, NodeIndex node) override;
  Status remove_protocol(IpFamily family, std::uint8_t protocol) override;
  Status add_udp_port(IpFamily family, std::uint16_t port, NodeIndex node) override;
  Status remove_udp_port(IpFamily family, std::uint16_t port) override;
  void set_punt(InterfaceIndex interface) override {
    state_.punt.publish(std::make_unique<const PuntTarget>(PuntTarget{.interface = interface}));
  }

 private:
  IpState& state_;
};

}  // namespace sluice
