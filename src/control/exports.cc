// SPDX-License-Identifier: Apache-2.0
#include "control/exports.h"

namespace sluice {

Exports::Exports(Daemon& daemon)
    : daemon_(daemon),
      sources_{daemon.dataplane(), daemon.context().interfaces(), daemon.ip().routes(), daemon.ip().neighbors(),
               http_} {}

Status Exports::open(const Configuration& configuration) {
  if (!configuration.metrics) return {};
  server_.emplace(daemon_.loop(), sources_, http_);
  return server_->listen(*configuration.metrics, configuration.read_only_group);
}

}  // namespace sluice
