// SPDX-License-Identifier: Apache-2.0
// Traced steps as operators read them.
#pragma once
#include <string>

#include "sluice/graph.h"
#include "sluice/interfaces.h"
#include "sluice/trace.h"

namespace sluice::trace {

/// What the step's node saw: "name value, name value".
std::string fields_text(const NodeDescription& node, const TraceStep& step, const Interfaces& interfaces);

}  // namespace sluice::trace
