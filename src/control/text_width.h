// SPDX-License-Identifier: Apache-2.0
// Texts on a terminal: how many columns they take, and how they are made to take fewer.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>

namespace sluice::control {

/// Columns that a text takes; every UTF-8 lead byte counts as one.
inline std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

/// Bytes of its first `columns` columns.
inline std::size_t bytes_of(std::string_view text, std::size_t columns) {
  std::size_t at = 0;
  for (std::size_t seen = 0; at < text.size(); ++at) {
    if ((text[at] & 0xc0) != 0x80 && seen++ == columns) break;
  }
  return at;
}

/// Cut to a width, with … for what is missing at its end.
inline std::string cut(std::string_view text, std::size_t width) {
  if (columns_of(text) <= width) return std::string(text);
  return width ? std::string(text.substr(0, bytes_of(text, width - 1))) + "…" : "";
}

/// The same for names, whose ends tell them apart: … for what is missing in the middle.
inline std::string middle_cut(std::string_view text, std::size_t width) {
  const auto columns = columns_of(text);
  if (columns <= width || width < 3) return cut(text, width);
  const auto end = (width - 1) / 2;
  return std::string(text.substr(0, bytes_of(text, width - 1 - end))) + "…" +
         std::string(text.substr(bytes_of(text, columns - end)));
}

}  // namespace sluice::control
