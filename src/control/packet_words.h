// SPDX-License-Identifier: Apache-2.0
// A packet in a few words.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "sluice/device.h"

namespace sluice::control {

/// "tcp 10.1.0.5:4000 > 10.1.0.6:80", "icmp 192.0.2.2 > 10.1.0.5, time to live exceeded", "ARP reply". bytes: the
/// packet's beginning, as long as it has been kept.
std::string packet_words(std::span<const std::uint8_t> bytes, LinkLayer link);

/// What an ICMP message says, of either family. rest: the second word of its header; 0: an MTU there is not known.
std::string icmp_words(bool ip6, std::uint8_t type, std::uint8_t code, std::uint32_t rest);

}  // namespace sluice::control
