// SPDX-License-Identifier: Apache-2.0
#include "core/feature_order.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

namespace sluice {

StatusOr<std::vector<NodeIndex>> order_features(const std::string& arc, std::vector<FeatureOnArc> features,
                                                const std::vector<std::string>& starts,
                                                const std::vector<std::string>& ends) {
  std::map<std::string, std::set<std::string>> predecessors;
  std::map<std::string, NodeIndex> nodes;
  for (const auto& f : features) {
    predecessors[f.name];
    nodes[f.name] = f.node;
  }
  const auto is_end = [&](std::string_view name) {
    return std::find(starts.begin(), starts.end(), name) != starts.end() ||
           std::find(ends.begin(), ends.end(), name) != ends.end();
  };
  for (const auto& f : features) {
    for (const std::string_view other : {f.info.after, f.info.before}) {
      if (other.empty() || is_end(other) || nodes.contains(std::string(other))) continue;
      return not_found("feature {} on arc {}: there is no {} to be placed after or before", f.name, arc, other);
    }
    for (const auto& other : features) {
      if (f.info.first && !other.info.first) predecessors[other.name].insert(f.name);
    }
    if (nodes.contains(std::string(f.info.after))) predecessors[f.name].insert(std::string(f.info.after));
    if (nodes.contains(std::string(f.info.before))) predecessors[std::string(f.info.before)].insert(f.name);
  }
  std::vector<NodeIndex> order;
  while (!predecessors.empty()) {
    // std::map iterates by name, so the first that is free is the right one.
    const auto next =
        std::find_if(predecessors.begin(), predecessors.end(), [](const auto& p) { return p.second.empty(); });
    if (next == predecessors.end()) {
      std::vector<std::string> names;
      for (const auto& [name, _] : predecessors) names.push_back(name);
      return refused("arc {}: after and before go in a circle among {}", arc, fmt::join(names, ", "));
    }
    const std::string name = next->first;
    order.push_back(nodes[name]);
    predecessors.erase(next);
    for (auto& [_, waits_for] : predecessors) waits_for.erase(name);
  }
  return order;
}

}  // namespace sluice
