// SPDX-License-Identifier: Apache-2.0
// Starting DPDK's environment, once a process.
#include "eal.h"

#include <fmt/ranges.h>
#include <sched.h>
#include <sluice/log.h>

#include <fstream>
#include <thread>
#include <vector>

#include "device.h"
#include "log.h"
#include "rte.h"

namespace sluice::dpdk {
namespace {

// Ports, rings and what drivers keep of their own; buffers are ours.
constexpr unsigned kMegabytes = 64;

unsigned free_hugepages() {
  unsigned n = 0;
  std::ifstream("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") >> n;
  return n;
}

/// "0-1,4": the CPUs that this process may use.
std::string own_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<unsigned> cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
  }
  return cpus.empty() ? "0" : fmt::format("{}", fmt::join(cpus, ","));
}

std::vector<std::string> arguments() {
  std::vector<std::string> words{
      "sluiced",
      // One thread, which ends when DPDK has started; the workers register themselves.
      "--lcores",
      fmt::format("0@({})", own_cpus()),
      // No card is taken at start: each is asked for.
      "--allow",
      "ffff:ff:1f.7",
      "--no-telemetry",
      "--iova-mode=va",
  };
  // Hugepages are not needed for vdevs; the two ways exclude each other.
  if (free_hugepages() * 2 >= kMegabytes) {
    words.emplace_back("--in-memory");
  } else {
    words.insert(words.end(), {"--no-huge", "--no-shconf", "-m", std::to_string(kMegabytes)});
  }
  return words;
}

Status start() {
  take_log();
  const Said said;
  Status status;
  // rte_eal_init() pins its caller to a CPU.
  std::thread([&] {
    std::vector<std::string> words = arguments();
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    if (rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) < 0)
      status = unavailable(
          "DPDK does not start: {} ({}); {}", rte_strerror(rte_errno), said.text(),
          "mend that and restart sluiced; sysctl vm.nr_hugepages=64 gives it memory if that is what it lacks");
    else
      log(LogLevel::Info, "DPDK started", field("version", rte_version()),
          field("arguments", fmt::format("{}", fmt::join(words, " "))));
  }).join();
  return status;
}

}  // namespace
}  // namespace sluice::dpdk

extern "C" SLUICE_API void sluice_dpdk_open(const sluice::dpdk::Node& node, const sluice::dpdk::Options& options,
                                            sluice::StatusOr<std::unique_ptr<sluice::dpdk::DpdkDevice>>& opened) {
  using namespace sluice::dpdk;
  // DPDK does not start again in a process where it has failed: what it said then stays the answer.
  static const sluice::Status started = start();
  if (!started.ok()) {
    opened = started;
    return;
  }
  auto device = PortDevice::open(node, options);
  if (!device.ok()) {
    opened = device.status();
  } else {
    opened = std::move(*device);
  }
}
