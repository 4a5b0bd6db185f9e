// SPDX-License-Identifier: Apache-2.0
// Any bytes as a neighbour discovery message: in a frame with a right IPv6 header and checksum, so that the message's
// own checks are reached. The first byte chooses type, destination and tracing.
#include "ip_world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice::testing;  // NOLINT(google-build-using-namespace)
  if (size < 2 || size > 1200) return 0;
  auto& world = sluice::fuzz::IpWorld::get();
  Bytes message(data + 1, data + size);
  if (message.size() < 8) message.resize(8);
  message[0] = data[0] & 2 ? 136 : 135;
  const char* destination = data[0] & 4 ? "ff02::1:ff00:1" : data[0] & 8 ? "fe80::1" : "2001:db8::1";
  const char* source = data[0] & 16 ? "::" : "2001:db8::9";
  const Bytes packet = icmp6_packet(source, destination, message, data[0] & 32 ? 64 : 255);
  world.give(world.eth, "ethernet-input", ethernet("02::1", "02::9", sluice::kEthertypeIp6, packet), data[0] & 1);
  world.check();
  return 0;
}
