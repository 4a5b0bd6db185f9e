// SPDX-License-Identifier: Apache-2.0
// What a command does about a thing that is there already: the same again is no change, another is refused with the
// differences.
#pragma once
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sluice/interfaces.h>
#include <sluice/status.h>

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// Collects in what a request differs from what is there: "mtu 1400 instead of 1500, mac 02::1 instead of none".
class Differences {
 public:
  /// field is the word of the command. Empty strings and lists are shown as "none".
  template <class T>
  Differences& compare(std::string_view field, const T& present, const T& wanted) {
    if (present == wanted) return *this;
    fmt::format_to(std::back_inserter(text_), "{}{} {} instead of {}", text_.empty() ? "" : ", ", field, shown(wanted),
                   shown(present));
    return *this;
  }
  /// Empty when there are none.
  const std::string& text() const { return text_; }

 private:
  static std::string shown(bool value) { return value ? "yes" : "no"; }
  static std::string shown(std::integral auto value) { return std::to_string(value); }
  static std::string shown(const std::string& value) { return value.empty() ? "none" : value; }
  static std::string shown(const std::vector<std::string>& value) {
    return shown(fmt::format("{}", fmt::join(value, ",")));
  }
  template <class T>
  static std::string shown(const std::optional<T>& value) {
    return value ? shown(*value) : "none";
  }
  static std::string shown(const auto& value)
    requires requires { value.to_string(); }
  {
    return value.to_string();
  }

  std::string text_;
};

/// Whether an interface is there that the driver has made with the same options. D is the driver's device, which has
/// options(); differences(present, wanted) tells these apart. Errors: the interface is another driver's; it has other
/// options.
template <class D, class Options>
StatusOr<bool> is_there(const Interfaces& interfaces, std::string_view name, std::string_view driver,
                        const Options& wanted) {
  const InterfaceEntry* entry = interfaces.find(name);
  if (!entry) return false;
  const auto* present = entry->driver == driver ? dynamic_cast<const D*>(entry->device) : nullptr;
  if (!present)
    return exists("interface {} exists and belongs to driver {}; choose another name, or delete it first", name,
                  entry->driver);
  const std::string other = differences(present->options(), wanted);
  if (!other.empty())
    return exists("interface {} exists; the request differs: {}; choose another name, or delete it first", name, other);
  return true;
}

}  // namespace sluice
