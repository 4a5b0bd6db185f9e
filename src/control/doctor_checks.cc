// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "control/doctor.h"
#include "control/process.h"

namespace sluice::doctor {
namespace {

enum class State { Ok, Advice, Fail };

struct Verdict {
  State state = State::Ok;
  std::string found;
  std::string wanted{}, mend{}, consequence{};
};

Finding finding(std::string check, Verdict verdict) {
  Finding f;
  f.set_state(verdict.state == State::Ok ? "ok" : verdict.state == State::Fail ? "FAIL" : "advice");
  f.set_check(std::move(check));
  f.set_found(std::move(verdict.found));
  f.set_wanted(std::move(verdict.wanted));
  f.set_mend(std::move(verdict.mend));
  f.set_consequence(std::move(verdict.consequence));
  return f;
}

Verdict hugepages(const HostFacts& facts, const Needs& needs) {
  if (needs.on_hugepages) return {.found = needs.page_kind};
  const std::uint64_t size = facts.meminfo("Hugepagesize").value_or(2048) * 1024;
  const std::uint64_t wanted = (needs.buffer_bytes + size - 1) / size;
  const std::uint64_t free = facts.meminfo("HugePages_Free").value_or(0);
  const std::uint64_t total = facts.meminfo("HugePages_Total").value_or(0);
  const std::uint64_t others = total - std::min(total, free);  // programs that have theirs
  return {State::Advice, fmt::format("buffers are on {}; {} pages are free", needs.page_kind, free),
          fmt::format("{} pages of {} kB free before the node starts", wanted, size / 1024),
          fmt::format("sysctl -w vm.nr_hugepages={} && systemctl restart sluice", wanted + others),
          "each packet costs more TLB misses, and zero copy is not possible"};
}

Verdict pinning(const Needs& needs) {
  if (!needs.cpus.empty()) return {.found = fmt::format("workers on cores {}", fmt::join(needs.cpus, ", "))};
  return {State::Advice, fmt::format("{} worker{} on any core", needs.workers, needs.workers == 1 ? "" : "s"),
          "a core for each worker", "set workers: {cpus: [2, 3]} in /etc/sluice/sluiced.yaml",
          "the scheduler moves workers, and their caches grow cold"};
}

Verdict isolation(const HostFacts& facts, const Needs& needs) {
  const auto list = facts.line("sys/devices/system/cpu/isolated").value_or("");
  const auto isolated = HostFacts::cpu_list(list);
  std::vector<int> shared;
  for (const int cpu : needs.cpus) {
    if (std::find(isolated.begin(), isolated.end(), cpu) == isolated.end()) shared.push_back(cpu);
  }
  if (shared.empty()) {
    return {.found = needs.cpus.empty() ? "no worker is pinned" : fmt::format("cores {} are isolated", list)};
  }
  return {State::Advice, fmt::format("cores {} of workers also run other programs", fmt::join(shared, ", ")),
          "they are kept from the scheduler",
          fmt::format("add isolcpus={} to the kernel's command line and reboot", fmt::join(needs.cpus, ",")),
          "other programs interrupt workers for milliseconds, and rings overflow"};
}

Verdict governor(const HostFacts& facts, const Needs& needs) {
  const int cpu = needs.cpus.empty() ? 0 : needs.cpus.front();
  const auto now = facts.line(fmt::format("sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor", cpu));
  if (!now) return {.found = "the kernel does not change the cores' frequency"};
  if (*now == "performance") return {.found = *now};
  return {State::Advice, *now, "performance", "cpupower frequency-set -g performance",
          "a core that wakes is slow for the first milliseconds"};
}

Verdict open_files(const HostFacts& facts, const Needs& needs) {
  const auto limit = facts.own_limit("Max open files");
  if (!limit) return {.found = "not known"};
  const std::uint64_t open = facts.open_files();
  const auto found = fmt::format("{} of {} in use by {} interfaces", open, *limit, needs.interfaces);
  if (open * 5 < *limit * 4) return {.found = found};
  return {
      State::Fail, found, fmt::format("a limit of at least {}", 2 * open),
      fmt::format("systemctl edit sluice: LimitNOFILE={}, then restart it", std::max<std::uint64_t>(4 * open, 65536)),
      "the next pods and connections are refused"};
}

Verdict locked_memory(const HostFacts& facts, const Needs& needs) {
  const auto limit = facts.own_limit("Max locked memory");
  if (!limit) return {.found = "not known"};
  if (*limit == std::numeric_limits<std::uint64_t>::max()) return {.found = "unlimited"};
  const auto found = fmt::format("{} kB", *limit / 1024);
  if (*limit >= needs.buffer_bytes || needs.unprivileged) return {.found = found};
  return {State::Advice, found, fmt::format("{} kB or unlimited", needs.buffer_bytes / 1024),
          "systemctl edit sluice: LimitMEMLOCK=infinity, then restart it",
          "buffers cannot be registered with a device"};
}

Verdict capabilities(const HostFacts& facts, const Needs& needs) {
  if (needs.unprivileged) return {.found = "none are needed (--unprivileged)"};
  const std::uint64_t mask = facts.own_mask("CapEff").value_or(0);
  std::vector<std::string> missing, all;
  for (const process::Capability& capability : process::needed_capabilities()) {
    all.emplace_back(capability.name);
    if ((mask >> capability.number & 1) == 0) missing.emplace_back(capability.name);
  }
  if (missing.empty()) return {.found = fmt::format("{}", fmt::join(all, ", "))};
  return {State::Fail, fmt::format("{} missing", fmt::join(missing, ", ")), fmt::format("{}", fmt::join(all, ", ")),
          "start sluiced by its unit, or add them to AmbientCapabilities= and CapabilityBoundingSet=",
          "pods or uplinks cannot be attached"};
}

Verdict tun_device(const HostFacts& facts, const Needs& needs) {
  if (needs.unprivileged) return {.found = "not needed (--unprivileged)"};
  if (facts.exists("dev/net/tun")) return {.found = "/dev/net/tun"};
  return {State::Fail, "/dev/net/tun is missing", "the kernel's tun module", "modprobe tun",
          "pods and the host tap cannot be attached"};
}

Verdict reverse_path(const HostFacts& facts) {
  const auto all = facts.line("proc/sys/net/ipv4/conf/all/rp_filter").value_or("0");
  if (all != "1") return {.found = fmt::format("net.ipv4.conf.all.rp_filter is {}", all)};
  return {State::Advice, "net.ipv4.conf.all.rp_filter is 1", "0 or 2", "sysctl -w net.ipv4.conf.all.rp_filter=2",
          "the host drops what comes to it by the host tap when its own route back is another"};
}

Verdict offloads(const std::vector<Uplink>& uplinks) {
  if (uplinks.empty()) return {.found = "no uplink of the kernel's"};
  std::vector<std::string> lro, no_gro, all;
  for (const Uplink& uplink : uplinks) {
    all.push_back(uplink.host_name);
    if (uplink.lro) lro.push_back(uplink.host_name);
    if (!uplink.gro) no_gro.push_back(uplink.host_name);
  }
  if (!lro.empty()) {
    return {State::Fail, fmt::format("{}: large receive offload is on", fmt::join(lro, ", ")), "off",
            fmt::format("ethtool -K {} lro off", lro.front()),
            "packets are merged so that they cannot be told apart again; what is forwarded is damaged"};
  }
  if (!no_gro.empty()) {
    return {State::Advice, fmt::format("{}: generic receive offload is off", fmt::join(no_gro, ", ")), "on",
            fmt::format("ethtool -K {} gro on", no_gro.front()), "each small packet of a TCP flow costs a pass"};
  }
  return {.found = fmt::format("{}: generic receive offload on, large receive offload off", fmt::join(all, ", "))};
}

Verdict managers(const HostFacts& facts, const std::vector<Uplink>& uplinks) {
  // Short names are cut to 15 characters by the kernel.
  const std::set<std::string> known{"NetworkManager", "systemd-network", "dhclient",    "dhcpcd",
                                    "vpp_main",       "ovs-vswitchd",    "calico-node", "cilium-agent"};
  std::vector<std::string> running;
  for (const auto& name : facts.programs()) {
    if (known.contains(name)) running.push_back(name);
  }
  if (running.empty() || uplinks.empty()) {
    return {.found =
                running.empty() ? "none run" : fmt::format("{}; no uplink of the kernel's", fmt::join(running, ", "))};
  }
  const auto& link = uplinks.front().host_name;
  return {State::Advice, fmt::format("{} may manage {} too", fmt::join(running, ", "), link),
          "nobody else sets addresses or routes there",
          running.front() == "NetworkManager"
              ? fmt::format("nmcli device set {} managed no", link)
              : fmt::format("leave {} out of {}'s configuration", link, running.front()),
          "addresses come back that the node has taken over, and the kernel answers beside it"};
}

}  // namespace

std::vector<Finding> examine(const HostFacts& facts, const Needs& needs, const std::vector<Uplink>& uplinks) {
  std::vector<Finding> all;
  all.push_back(finding("hugepages", hugepages(facts, needs)));
  all.push_back(finding("pinned workers", pinning(needs)));
  all.push_back(finding("isolated cores", isolation(facts, needs)));
  all.push_back(finding("frequency governor", governor(facts, needs)));
  all.push_back(finding("open files", open_files(facts, needs)));
  all.push_back(finding("locked memory", locked_memory(facts, needs)));
  all.push_back(finding("capabilities", capabilities(facts, needs)));
  all.push_back(finding("tun device", tun_device(facts, needs)));
  all.push_back(finding("reverse path filter", reverse_path(facts)));
  all.push_back(finding("offloads", offloads(uplinks)));
  all.push_back(finding("other managers", managers(facts, uplinks)));
  return all;
}

}  // namespace sluice::doctor
