// SPDX-License-Identifier: Apache-2.0
#include "control/process.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace sluice::process {
namespace {

constexpr std::array<Capability, 6> kNeeded{{
    {CAP_NET_ADMIN, "CAP_NET_ADMIN", "to make TUN and tap interfaces and set their addresses", true},
    {CAP_NET_RAW, "CAP_NET_RAW", "to open AF_PACKET sockets", true},
    {CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "to enter the network namespaces of pods", true},
    // The kernel asks for it as soon as a process has privileges that this one has given up.
    {CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "to open the namespaces of processes, /proc/PID/ns/net", false},
    {CAP_IPC_LOCK, "CAP_IPC_LOCK", "to lock hugepages", false},
    {39 /* CAP_BPF */, "CAP_BPF", "to load packet filters", false},
}};

struct Capabilities {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  bool read() { return syscall(SYS_capget, &header, data.data()) == 0; }
  bool write() { return syscall(SYS_capset, &header, data.data()) == 0; }
};

bool has(const Capabilities& caps, unsigned number) {
  return (caps.data[number / 32].effective & (1u << (number % 32))) != 0;
}

}  // namespace

void notify(const std::string& state) { sd_notify(0, state.c_str()); }

std::optional<std::chrono::milliseconds> watchdog_period() {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return std::chrono::milliseconds(microseconds / 4000);
}

std::span<const Capability> needed_capabilities() { return kNeeded; }

Status check_privileges() {
  Capabilities caps;
  if (!caps.read()) return unavailable("capget: {}", std::strerror(errno));
  for (const Capability& needed : kNeeded) {
    if (needed.required && !has(caps, needed.number)) {
      return not_permitted("{} is missing, {}; start sluiced as root, by its unit, or with --unprivileged", needed.name,
                           needed.what_for);
    }
  }
  return {};
}

Status keep_only_needed_capabilities() {
  std::array<std::uint32_t, 2> keep{};
  for (const Capability& n : kNeeded) keep[n.number / 32] |= 1u << (n.number % 32);
  Capabilities caps;
  if (!caps.read()) return unavailable("capget: {}", std::strerror(errno));
  for (unsigned number = 0; number <= CAP_LAST_CAP; ++number) {
    // Needs CAP_SETPCAP; without it the sets below hold all the same.
    if ((keep[number / 32] & (1u << (number % 32))) == 0) prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
  }
  for (std::size_t i = 0; i < caps.data.size(); ++i) {
    caps.data[i].effective &= keep[i];
    caps.data[i].permitted &= keep[i];
    caps.data[i].inheritable = 0;
  }
  if (!caps.write()) return unavailable("capset: {}; capabilities are as they were", std::strerror(errno));
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return {};
}

Status join_group(const std::string& group) {
  const auto* found = getgrnam(group.c_str());
  if (!found) return not_found("group {}: no such group; groupadd --system {}", group, group);
  const int count = getgroups(0, nullptr);
  std::vector<gid_t> groups(count > 0 ? static_cast<std::size_t>(count) : 0);
  if (count < 0 || getgroups(count, groups.data()) != count)
    return unavailable("group {}: cannot read this process's groups: {}", group, std::strerror(errno));
  if (getegid() == found->gr_gid || std::find(groups.begin(), groups.end(), found->gr_gid) != groups.end()) return {};
  groups.push_back(found->gr_gid);
  if (setgroups(groups.size(), groups.data()) == 0) return {};
  return not_permitted(
      "group {}: cannot join it: {}; give the daemon the capability CAP_SETGID, or start it in the group "
      "(SupplementaryGroups= in its unit)",
      group, std::strerror(errno));
}

Status give_to_group(const std::string& path, const std::string& group) {
  const auto* found = getgrnam(group.c_str());
  if (!found) return not_found("{}: group {}: no such group; groupadd --system {}", path, group, group);
  if (chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) == 0) return {};
  return not_permitted("{}: cannot give it to group {}: {}; only a member of the group may, so start sluiced in it",
                       path, group, std::strerror(errno));
}

void raise_file_limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &files);
}

void protect_memory() { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

}  // namespace sluice::process
