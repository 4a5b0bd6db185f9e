// SPDX-License-Identifier: Apache-2.0
#include "ip/ip_stack.h"

#include <chrono>
#include <cstring>

#include "ip/nodes.h"
#include "sluice/graph.h"

namespace sluice {

IpStack::IpStack(Context& context)
    : context_(context),
      state_(context.rcu()),
      routes_(state_.tables, context.interfaces()),
      neighbors_(
          state_, routes_, context.interfaces(),
          [this](InterfaceIndex interface, const FrameBytes& frame) { send(interface, frame); },
          [this] { context_.release_held(); }),
      addresses_(state_, context.interfaces(),
                 [this](InterfaceIndex interface, const FrameBytes& frame) { send(interface, frame); }),
      local_(state_, context.interfaces()) {}

IpStack::~IpStack() = default;

void IpStack::register_nodes(Registry& registry) {
  state_.neighbor_wanted = registry.control_message(
      [this](const ControlMessage& message) { neighbors_.wanted(message.as<NeighborWanted>()); });
  state_.neighbor_seen =
      registry.control_message([this](const ControlMessage& message) { neighbors_.seen(message.as<NeighborSeen>()); });
  state_.address_conflict = registry.control_message(
      [this](const ControlMessage& message) { addresses_.conflict(message.as<AddressConflict>()); });
  register_ip_nodes(registry, state_);
  registry.on_start([this]() -> Status {
    output_ = context_.graph().find("interface-output");
    timer_ = context_.every(kTick, [this] { tick(); });
    tick();
    return {};
  });
  registry.on_stop([this] { timer_.reset(); });
}

void IpStack::tick() {
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch());
  addresses_.tick(now);
  neighbors_.tick(now);
}

void IpStack::send(InterfaceIndex interface, const FrameBytes& frame) {
  if (!output_.valid()) return;  // before the start; probes are repeated
  Packet* packet = context_.alloc_packet();
  if (!packet) return;
  std::memcpy(packet->data, frame.data(), frame.size());
  packet->trim(frame.size());
  packet->l2_offset = packet->offset();
  packet->tx_interface = interface;
  packet->flags |= kLocal | kChecksumValid;
  (void)context_.inject(output_, packet);
}

}  // namespace sluice
