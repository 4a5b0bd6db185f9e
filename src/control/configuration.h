// SPDX-License-Identifier: Apache-2.0
// /etc/sluice/sluiced.yaml: what is fixed at start, and a list of commands to run then. Read with yaml-cpp; every error
// is FILE:LINE:COL, what is wrong there and what is allowed.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/listen_address.h"
#include "sluice/log.h"
#include "sluice/pool.h"
#include "sluice/status.h"

namespace sluice {

/// A command of the startup list, and where it stands.
struct StartupCommand {
  std::string text;
  std::string where;  ///< FILE:LINE:COL
};

struct SLUICE_API Configuration {
  // workers:
  unsigned workers = 1;
  std::vector<int> cpus;  ///< one a worker; empty: not pinned
  // buffers:
  std::uint32_t buffers = 32768;
  bool hugepages = true;
  PageSize pages = PageSize::Auto;
  // plugins:
  std::string plugin_path;           ///< empty: the installed folder
  std::vector<std::string> plugins;  ///< empty: all in the folder
  // sockets:
  std::string api_socket = "/run/sluice/api.sock";
  std::string read_only_socket = "/run/sluice/ro.sock";
  std::string read_only_group;  ///< may read on ro.sock; empty: root's
  // journal: a path, or none
  std::optional<std::string> journal;  ///< not given: `running` beside the API's socket; empty: none is kept
  // counters: a path, or none
  std::optional<std::string> counters;  ///< not given: `counters` beside the API's socket; empty: none are kept
  // metrics:
  std::optional<control::ListenAddress> metrics;  ///< where Prometheus asks; not given: nowhere
  // log:
  LogLevel log_level = LogLevel::Info;
  std::vector<StartupCommand> startup;

  /// The journal's file; empty when none is kept.
  std::string journal_path() const;
  /// The counter segment's file; empty when none is kept.
  std::string counters_path() const;

  /// Errors: the file cannot be read; every mistake in it, a line each.
  static StatusOr<Configuration> load(const std::string& path);
  /// The same for text; name stands for the file in errors.
  static StatusOr<Configuration> parse(std::string_view text, const std::string& name);
};

}  // namespace sluice
