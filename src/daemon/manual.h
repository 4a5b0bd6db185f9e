// SPDX-License-Identifier: Apache-2.0
// sluiced(8).
#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace sluice {

/// The page of the manual, made of the program's options and of what its configuration may hold.
std::string manual(const CLI::App& app);

}  // namespace sluice
