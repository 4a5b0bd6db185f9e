// SPDX-License-Identifier: Apache-2.0
// The startup: list: the same commands as sluicectl's, parsed and run in the process before the sockets open.
#pragma once
#include <memory>
#include <vector>

#include "control/configuration.h"
#include "control/dispatcher.h"
#include "control/grammar.h"

namespace sluice::control {

/// Adds the commands and settings of all services of the api. Errors: what is wrong with their declarations.
SLUICE_API Status add_services(Grammar& grammar, const Api& api);

class SLUICE_API Startup {
 public:
  explicit Startup(const Dispatcher& dispatcher);

  /// Parses every command; nothing runs. Errors: each that is none, as FILE:LINE:COL, a line each.
  Status check(const std::vector<StartupCommand>& commands);
  /// Parses all, then runs one after the other. Stops at the first that is refused, and says which and how many ran.
  Status run(const std::vector<StartupCommand>& commands);

 private:
  Status run_one(Command& command) const;

  const Dispatcher& dispatcher_;
  Grammar grammar_;
  Status faults_;
  std::vector<Command> parsed_;
};

}  // namespace sluice::control
