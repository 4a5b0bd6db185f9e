// SPDX-License-Identifier: Apache-2.0
#include "control/tokenizer.h"

#include <fmt/format.h>

namespace sluice::control {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// Reads from an opening quote to behind the closing one.
bool read_quoted(std::string_view line, std::size_t& at, std::string& word, LineError& error) {
  const std::size_t open = at;
  const char quote = line[at++];
  while (at < line.size() && line[at] != quote) {
    if (quote == '"' && line[at] == '\\' && at + 1 < line.size()) ++at;
    word += line[at++];
  }
  if (at == line.size()) {
    error = {open, fmt::format("the quote {} is never closed", quote)};
    return false;
  }
  ++at;
  return true;
}

}  // namespace

bool tokenize(std::string_view line, std::vector<Token>& tokens, LineError& error) {
  tokens.clear();
  if (line.size() > kLineMax) {
    error = {kLineMax, fmt::format("the line has {} characters, at most {} are allowed", line.size(), kLineMax)};
    return false;
  }
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto c = static_cast<unsigned char>(line[i]);
    if ((c < 0x20 && !blank(line[i])) || c == 0x7f) {
      error = {i, fmt::format("control character 0x{:02x}", c)};
      return false;
    }
  }
  std::size_t at = 0;
  while (true) {
    while (at < line.size() && blank(line[at])) ++at;
    if (at == line.size() || line[at] == '#') return true;
    Token token;
    token.begin = at;
    while (at < line.size() && !blank(line[at])) {
      if (line[at] == '"' || line[at] == '\'') {
        token.quoted = true;
        if (!read_quoted(line, at, token.text, error)) return false;
      } else {
        token.text += line[at++];
      }
    }
    token.end = at;
    tokens.push_back(std::move(token));
  }
}

std::string quote(std::string_view word) {
  const bool plain = !word.empty() && word.find_first_of(" \t\"'\\#") == std::string_view::npos;
  if (plain) return std::string(word);
  std::string quoted = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace sluice::control
