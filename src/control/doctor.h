// SPDX-License-Identifier: Apache-2.0
// `doctor`: looks at the host with the eyes of a node, and says what to do about what it finds.
#pragma once
#include <string>
#include <vector>

#include "control/doctor.pb.h"
#include "control/host_facts.h"
#include "core/dataplane.h"
#include "sluice/api.h"
#include "sluice/host.h"
#include "sluice/interfaces.h"

namespace sluice::doctor {

/// What the node itself needs of its host.
struct Needs {
  std::uint64_t buffer_bytes = 0;
  std::string page_kind;  ///< of the buffers now
  bool on_hugepages = false;
  std::vector<int> cpus;  ///< that workers are pinned to
  unsigned workers = 1;
  std::size_t interfaces = 0;
  bool unprivileged = false;
};

/// A host interface that the node forwards by, and what its driver does with packets before the node sees them.
struct Uplink {
  std::string name;       ///< the node's
  std::string host_name;  ///< the kernel's
  std::string namespace_path;
  bool lro = false, gro = true;
};

/// All checks, in a fixed order. Pure but for what facts reads.
SLUICE_API std::vector<Finding> examine(const HostFacts& facts, const Needs& needs, const std::vector<Uplink>& uplinks);

class DoctorService {
 public:
  DoctorService(Dataplane& dataplane, Interfaces& interfaces, bool unprivileged)
      : dataplane_(dataplane), interfaces_(interfaces), unprivileged_(unprivileged) {}
  void offer(Api& api);

 private:
  Stream<Finding> run(const Nothing&);
  Needs needs() const;
  std::vector<Uplink> uplinks() const;

  Dataplane& dataplane_;
  Interfaces& interfaces_;
  const bool unprivileged_;
};

}  // namespace sluice::doctor
