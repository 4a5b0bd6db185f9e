// SPDX-License-Identifier: Apache-2.0
// Splits a command line into words. Quotes ("…" with \" and \\, '…' as it stands) keep blanks and make a word that is
// never taken for a keyword; # begins a comment.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "sluice/status.h"
#include "sluice/types.h"

namespace sluice::control {

/// Longer lines are refused.
inline constexpr std::size_t kLineMax = 16384;

struct Token {
  std::string text;
  std::size_t begin = 0;  // offsets in the line; the column that a user sees is begin + 1
  std::size_t end = 0;
  bool quoted = false;
};

/// What is wrong with a line, and at which offset.
struct LineError {
  std::size_t offset = 0;
  std::string message;
};

/// False when the line is malformed, then `error` says how. An empty line has no tokens.
SLUICE_API bool tokenize(std::string_view line, std::vector<Token>& tokens, LineError& error);

/// A word in quotes if it needs them, so that tokenize() gives it back.
SLUICE_API std::string quote(std::string_view word);

}  // namespace sluice::control
