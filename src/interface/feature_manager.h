// SPDX-License-Identifier: Apache-2.0
// Which features are on, for each arc and interface, and the chains that follow from it.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/dataplane.h"
#include "sluice/interfaces.h"

namespace sluice {

class FeatureManager final : public Features {
 public:
  FeatureManager(Dataplane& dataplane, Interfaces& interfaces);

  StatusOr<bool> enable(InterfaceIndex index, std::string_view feature) override;
  StatusOr<bool> disable(InterfaceIndex index, std::string_view feature) override;
  StatusOr<bool> would_set(InterfaceIndex index, std::string_view feature, bool on) const override;
  std::vector<std::string> enabled(InterfaceIndex index, std::string_view arc) const override;

 private:
  StatusOr<NodeIndex> check(InterfaceIndex index, std::string_view feature) const;
  void publish();

  Dataplane& dataplane_;
  Interfaces& interfaces_;
  std::map<InterfaceIndex, std::set<NodeIndex>> enabled_;
};

}  // namespace sluice
