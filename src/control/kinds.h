// SPDX-License-Identifier: Apache-2.0
// The kinds of values that every daemon and client knows.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "sluice/status.h"
#include "sluice/types.h"

namespace sluice::control {

/// Says what a built-in kind is ("an IPv4 or IPv6 address"); empty when the kind is not built in.
SLUICE_API std::string_view builtin_kind(std::string_view kind);
/// Checks a text value against a built-in kind; "must be an IPv4 or IPv6 address (10.0.0.1, fd00::1)".
SLUICE_API Status check_builtin(std::string_view kind, std::string_view value);
/// "10s" in the unit "ms" → 10000. Empty when it is no time or not a whole number of units.
SLUICE_API std::optional<std::uint64_t> parse_duration(std::string_view text, std::string_view unit);
/// "64k" → 65536. Suffixes k, M, G, T are powers of 1024.
SLUICE_API std::optional<std::uint64_t> parse_bytes(std::string_view text);

}  // namespace sluice::control
