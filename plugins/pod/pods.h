// SPDX-License-Identifier: Apache-2.0
// The pods of this node: their TUNs, routes and guards. Control thread only.
#pragma once
#include <sluice/context.h>
#include <sluice/host.h>
#include <sluice/routes.h>
#include <sluice/tun.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "source_table.h"
#include "spec.h"

namespace sluice::pod {

struct Pod {
  PodSpec spec;
  host::NamespaceId id;  ///< which namespace the path led to
  InterfaceIndex interface;
  TunDevice* device = nullptr;  ///< the interface's
};

class Pods {
 public:
  Pods(Registry& registry, Context& context);
  Pods(const Pods&) = delete;
  Pods& operator=(const Pods&) = delete;

  /// False: it is there, the same. Errors have left nothing behind. With dry_run everything is checked and nothing
  /// made.
  StatusOr<bool> create(const PodSpec& spec, bool dry_run);
  /// False: there is none.
  bool remove(const std::string& name, bool dry_run);
  /// By name.
  const std::map<std::string, Pod>& all() const { return pods_; }
  const Published<SourceTable>& sources() const { return sources_; }

  /// Called when a pod has come or gone.
  std::function<void()> on_change;

  void stop();

 private:
  Status check(const PodSpec& spec) const;
  Status check_addresses(const PodSpec& spec) const;
  Status connect(Pod& pod);
  Status add_routes(const Pod& pod);
  void deleted(InterfaceIndex interface);
  void withdraw(const Pod& pod);
  void guard(const Pod& pod, bool on);

  Context& context_;
  TunDriver driver_;
  Published<SourceTable> sources_;
  std::map<std::string, Pod> pods_;
};

}  // namespace sluice::pod
