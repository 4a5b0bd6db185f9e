// SPDX-License-Identifier: Apache-2.0
// IP protocols in words: what operators type and read.
#pragma once
#include <sluice/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

/// "tcp", "icmp6", "gre" …; empty for a protocol without a name here.
SLUICE_API std::string_view protocol_name(std::uint8_t protocol);
/// A name, or a number from 0 to 255. Empty for anything else.
SLUICE_API std::optional<std::uint8_t> protocol_number(std::string_view text);
/// All names, separated by commas, for errors and help.
SLUICE_API std::string protocol_names();

}  // namespace sluice
