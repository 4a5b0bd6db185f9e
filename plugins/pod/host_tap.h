// SPDX-License-Identifier: Apache-2.0
// The host tap: a TUN whose far side is the host's own stack. Through it the host reaches the pods and what lies behind
// the other interfaces, and gets what is addressed to this node and no node of the graph takes. Control thread only.
#pragma once
#include <sluice/context.h>
#include <sluice/host.h>
#include <sluice/local.h>
#include <sluice/routes.h>
#include <sluice/tun.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pods.h"
#include "spec.h"

namespace sluice::pod {

/// The spec's namespace is the daemon's own, its table the first.
class HostTap {
 public:
  HostTap(Registry& registry, Context& context, Pods& pods);
  HostTap(const HostTap&) = delete;
  HostTap& operator=(const HostTap&) = delete;

  /// False: it is there, the same. Errors have left nothing behind: there is one already, the name or an address is
  /// taken, what TunDriver::open says.
  StatusOr<bool> create(const PodSpec& spec, bool dry_run);
  /// False: there is none of this name.
  bool remove(const std::string& name, bool dry_run);
  const std::optional<PodSpec>& spec() const { return spec_; }
  void stop();

 private:
  Status connect(const PodSpec& spec, InterfaceIndex interface);
  Status check(const PodSpec& spec) const;
  void deleted();
  /// Brings the kernel's routes and addresses in line with pods and interfaces, as far as it takes them.
  void sync();
  /// Tries again what the kernel did not take, and what it has lost since: setting the link down takes all routes.
  void look();
  std::vector<std::string> wanted_addresses() const;
  std::map<std::string, host::Route> wanted_routes() const;

  Context& context_;
  Pods& pods_;
  TunDriver driver_;
  std::optional<PodSpec> spec_;
  InterfaceIndex interface_;
  TunDevice* device_ = nullptr;  ///< the interface's
  int link_ = 0;                 ///< the kernel's index of its side
  std::optional<host::LinkEvents> events_;
  std::unique_ptr<Timer> timer_;
  // What the kernel has taken.
  std::vector<std::string> addresses_;
  std::map<std::string, host::Route> routes_;
  bool in_line_ = false;
  int waited_ = 0;
  std::string complaint_;  ///< the last that was logged
};

}  // namespace sluice::pod
