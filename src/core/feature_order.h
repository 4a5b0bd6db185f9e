// SPDX-License-Identifier: Apache-2.0
// The order of the features on an arc: a topological sort of their after and before, ties broken by name.
#pragma once
#include <string>
#include <vector>

#include "sluice/feature.h"
#include "sluice/status.h"

namespace sluice {

struct FeatureOnArc {
  std::string name;
  NodeIndex node;
  FeatureInfo info;
};

/// starts, ends: the nodes from which the arc goes and those behind it; before and after may name them. Errors: an
/// unknown name; a cycle, with the features in it.
StatusOr<std::vector<NodeIndex>> order_features(const std::string& arc, std::vector<FeatureOnArc> features,
                                                const std::vector<std::string>& starts,
                                                const std::vector<std::string>& ends);

}  // namespace sluice
