// SPDX-License-Identifier: Apache-2.0
// What is made of the declarations for those who look outside of sluicectl: its page of the manual, and bash's
// completion.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "control/description.h"

namespace sluice::ctl {

/// sluicectl(1).
std::string manual(const CLI::App& app, const control::Schema& schema);
/// A script that bash reads: it asks `sluicectl --complete`, and knows the commands of this schema where no daemon
/// answers.
std::string bash_completion(const CLI::App& app, const control::Schema& schema);

}  // namespace sluice::ctl
