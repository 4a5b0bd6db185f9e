// SPDX-License-Identifier: Apache-2.0
#include "interface/device_input.h"
#include "interface/device_output.h"
#include "sluice/registry.h"

namespace sluice {

void Registry::driver(std::string_view name) {
  NodeDescription& input = node<DeviceInput>();
  input.name = fmt::format("{}-input", name);
  input.summary = fmt::format("takes packets from {} receive queues", name);
  input.form = "input";
  arc({.name = "device-input", .start_node = input.name, .start_next = {"ethernet-input"}});
  NodeDescription& output = node<DeviceOutput>();
  output.name = fmt::format("{}-output", name);
  output.summary = fmt::format("gives packets to {} transmit queues", name);
}

}  // namespace sluice
