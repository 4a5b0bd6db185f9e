// SPDX-License-Identifier: Apache-2.0
// Who takes packets for this node: the control side of LocalTable.
#pragma once
#include "ip/state.h"
#include "sluice/interfaces.h"
#include "sluice/local.h"

namespace sluice {

class LocalRegistry final : public LocalDelivery {
 public:
  LocalRegistry(IpState& state, Interfaces& interfaces) : state_(state), interfaces_(interfaces) {}
  Status add_protocol(IpFamily family, std::uint8_t protocol, NodeIndex node, NodeIndex errors = {}) override;
  Status remove_protocol(IpFamily family, std::uint8_t protocol) override;
  Status add_udp_port(IpFamily family, std::uint16_t port, NodeIndex node, NodeIndex errors = {}) override;
  Status remove_udp_port(IpFamily family, std::uint16_t port) override;
  StatusOr<bool> set_punt(InterfaceIndex interface, const MacAddress& host) override;

 private:
  IpState& state_;
  Interfaces& interfaces_;
};

}  // namespace sluice
