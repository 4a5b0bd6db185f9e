// SPDX-License-Identifier: Apache-2.0
// The process around the daemon: what it tells systemd, and what privileges it keeps.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "sluice/status.h"
#include "sluice/types.h"

namespace sluice::process {

/// READY=1, STOPPING=1, STATUS=… to systemd (or whoever set NOTIFY_SOCKET); nothing without one.
SLUICE_API void notify(const std::string& state);
/// A quarter of what the unit's WatchdogSec allows, when there is one: a check that fails once, or a timer that is
/// late, does not yet cost the daemon its life.
SLUICE_API std::optional<std::chrono::milliseconds> watchdog_period();
/// A capability(7) that a node needs; without one that is not `required` something is slower or missing.
struct Capability {
  unsigned number;
  const char* name;
  const char* what_for;
  bool required;
};
SLUICE_API std::span<const Capability> needed_capabilities();
/// Keeps needed_capabilities() in every set, for all threads made from here on.
/// Errors: the kernel refuses.
SLUICE_API Status keep_only_needed_capabilities();
/// Names the first required capability that this process lacks. Ok when none is missing.
SLUICE_API Status check_privileges();
/// Makes this process a member of a group, so that it may give files to it later without any capability. Nothing
/// happens when it is one already. Errors: no such group; CAP_SETGID is missing.
SLUICE_API Status join_group(const std::string& group);
/// Gives a file to a group that this process is a member of. Errors: no such group; the kernel refuses.
SLUICE_API Status give_to_group(const std::string& path, const std::string& group);
/// Lets the process have as many open files as it may: each queue of an interface is one.
SLUICE_API void raise_file_limit();
/// Memory that packets and keys pass through does not reach a core file, nor other users by ptrace.
SLUICE_API void protect_memory();

}  // namespace sluice::process
