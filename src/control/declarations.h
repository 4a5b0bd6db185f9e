// SPDX-License-Identifier: Apache-2.0
// Checks what authors have declared, beyond what the daemon needs to start: run by a test over all plugins.
#pragma once
#include "control/description.h"

namespace sluice::control {

/// Ok, or each fault in a line: forms that accept the same line, fields that no form sets, kinds that nobody has
/// registered, examples that are no command of their method, methods and arguments without help.
SLUICE_API Status check_declarations(const Schema& schema);

}  // namespace sluice::control
