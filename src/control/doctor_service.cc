// SPDX-License-Identifier: Apache-2.0
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "control/doctor.h"
#include "sluice/packet.h"

namespace sluice::doctor {
namespace {

/// One of ethtool's flags of an interface; the socket is in its namespace.
std::uint32_t ethtool(int socket, const std::string& name, std::uint32_t command) {
  ethtool_value value{command, 0};
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), sizeof request.ifr_name - 1);
  request.ifr_data = reinterpret_cast<char*>(&value);
  return ::ioctl(socket, SIOCETHTOOL, &request) == 0 ? value.data : 0;
}

void read_offloads(Uplink& uplink) {
  (void)host::run_in_namespace(uplink.namespace_path, [&] {
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return Status();
    uplink.lro = (ethtool(socket, uplink.host_name, ETHTOOL_GFLAGS) & ETH_FLAG_LRO) != 0;
    uplink.gro = ethtool(socket, uplink.host_name, ETHTOOL_GGRO) != 0;
    ::close(socket);
    return Status();
  });
}

}  // namespace

void DoctorService::offer(Api& api) {
  api.service("sluice.doctor.Doctor").stream("Examine", this, &DoctorService::run);
}

Needs DoctorService::needs() const {
  Needs n;
  n.buffer_bytes = dataplane_.pool().usage().total * kBufferStride;
  n.page_kind = dataplane_.pool().page_kind();
  n.on_hugepages = dataplane_.pool().on_hugepages();
  n.workers = dataplane_.worker_count();
  for (const auto& worker : dataplane_.workers()) {
    if (worker->cpu()) n.cpus.push_back(*worker->cpu());
  }
  n.interfaces = interfaces_.list().size();
  n.unprivileged = unprivileged_;
  return n;
}

std::vector<Uplink> DoctorService::uplinks() const {
  std::vector<Uplink> all;
  for (const InterfaceEntry* entry : interfaces_.list()) {
    const auto link = entry->device ? entry->device->host_link() : std::nullopt;
    if (!link) continue;
    all.push_back({.name = entry->name, .host_name = link->name, .namespace_path = link->namespace_path});
    read_offloads(all.back());
  }
  return all;
}

Stream<Finding> DoctorService::run(const Nothing&) {
  std::size_t failed = 0;
  for (Finding& finding : examine(HostFacts(), needs(), uplinks())) {
    failed += finding.state() == "FAIL";
    co_yield std::move(finding);
  }
  if (failed > 0) co_yield failed_precondition("{} of the checks failed; each FAIL above says how to mend it", failed);
}

}  // namespace sluice::doctor
