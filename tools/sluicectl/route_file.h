// SPDX-License-Identifier: Apache-2.0
// `add routes file`: from lines of text to batches of routes.
#pragma once
#include <string>

#include "client.h"
#include "local.h"

namespace sluice::ctl {

/// Reads the file whole (- is the standard input), then sends it in batches. On a terminal it tells on stderr how far
/// it has come. Errors name wrong lines, the first ones of many, and how many routes have been added all the same.
Status add_routes(Client& client, control::Schema& schema, const std::string& path, bool dry_run,
                  const Local::Reply& reply);

}  // namespace sluice::ctl
