// SPDX-License-Identifier: Apache-2.0
// The command reference, docs/cli.md, made of what the daemon describes.
#pragma once
#include <string>

#include "control/description.h"

namespace sluice::control {

SLUICE_API std::string command_reference(const Schema& schema);

}  // namespace sluice::control
