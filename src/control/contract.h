// SPDX-License-Identifier: Apache-2.0
// The API as a contract: what clients and scripts may rely on, a line each, so that a difference reads well. A newer
// daemon may add to it; what it takes away or changes needs a higher major version (docs/compatibility.md).
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/description.h"

namespace sluice::control {

class SLUICE_API Contract {
 public:
  /// What a daemon describes.
  static Contract of(const Schema& schema);
  /// What text() has written. The error names the line that is none of a contract's.
  static StatusOr<Contract> parse(std::string_view text);
  std::string text() const;

  /// What of this contract a daemon does not keep, a sentence each; nothing when its major version is higher.
  std::vector<std::string> broken_by(const Schema& now) const;

 private:
  friend class ContractWriter;
  /// One line: `field sluice.ip.Route.prefix number 1 type string …`, `form METHOD SYNTAX | SET`.
  struct Entry {
    std::string kind, name;
    std::vector<std::pair<std::string, std::string>> attributes;  // of all but forms
    std::string syntax, set;                                      // of forms
    std::string attribute(std::string_view key) const;
    std::string line() const;
  };
  static StatusOr<Entry> parse_entry(std::string_view line);
  static void compare(const Entry& then, const Entry& now, std::vector<std::string>& broken);

  unsigned major_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace sluice::control
