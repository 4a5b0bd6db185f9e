// SPDX-License-Identifier: Apache-2.0
// The interactive shell: history, completion and `?` by libedit.
#pragma once
#include "session.h"

namespace sluice::ctl {

/// Until `exit`, `quit` or the end of input. The status of the last command. On a terminal an interrupt ends the line
/// or the command, not the shell; what comes from elsewhere ends at its first failure.
Exit run_shell(Session& session);

}  // namespace sluice::ctl
