// SPDX-License-Identifier: Apache-2.0
#include "interface/feature_manager.h"

namespace sluice {
FeatureManager::FeatureManager(Dataplane& dataplane, Interfaces& interfaces)
    : dataplane_(dataplane), interfaces_(interfaces) {
  interfaces_.listen([this](Interfaces::Event event, const InterfaceEntry& entry, const InterfaceAddress*) {
    if (event == Interfaces::Event::Deleted && enabled_.erase(entry.index)) publish();
    if (event != Interfaces::Event::Created || !entry.device) return;
    for (const auto& feature : entry.device->info().features) (void)enable(entry.index, feature);
  });
}

StatusOr<NodeIndex> FeatureManager::check(InterfaceIndex index, std::string_view feature) const {
  if (!interfaces_.find(index)) return not_found("the interface does not exist (any more); show interface lists them");
  const NodeIndex node = dataplane_.graph().find(feature);
  if (!node.valid() || !dataplane_.graph().node(node).feature_arc) {
    std::string known;
    for (const auto& arc : dataplane_.graph().arcs()) {
      for (const NodeIndex f : arc.features) {
        known += (known.empty() ? "" : ", ") + dataplane_.graph().node(f).description.name;
      }
    }
    return not_found("feature {}: there is none of that name; known: {}", feature, known.empty() ? "none" : known);
  }
  return node;
}

StatusOr<bool> FeatureManager::enable(InterfaceIndex index, std::string_view feature) {
  const auto node = check(index, feature);
  if (!node.ok()) return node.status();
  if (!enabled_[index].insert(*node).second) return false;
  publish();
  return true;
}

StatusOr<bool> FeatureManager::disable(InterfaceIndex index, std::string_view feature) {
  const auto node = check(index, feature);
  if (!node.ok()) return node.status();
  const auto it = enabled_.find(index);
  if (it == enabled_.end() || it->second.erase(*node) == 0) return false;
  if (it->second.empty()) enabled_.erase(it);
  publish();
  return true;
}

StatusOr<bool> FeatureManager::would_set(InterfaceIndex index, std::string_view feature, bool on) const {
  const auto node = check(index, feature);
  if (!node.ok()) return node.status();
  const auto it = enabled_.find(index);
  return (it != enabled_.end() && it->second.contains(*node)) != on;
}

std::vector<std::string> FeatureManager::enabled(InterfaceIndex index, std::string_view arc) const {
  std::vector<std::string> names;
  const auto it = enabled_.find(index);
  const auto id = dataplane_.graph().find_arc(arc);
  if (it == enabled_.end() || !id) return names;
  for (const NodeIndex node : dataplane_.graph().arcs()[*id].features) {
    if (it->second.contains(node)) names.push_back(dataplane_.graph().node(node).description.name);
  }
  return names;
}

void FeatureManager::publish() {
  const auto& arcs = dataplane_.graph().arcs();
  auto chains = std::make_unique<FeatureChains>();
  chains->start.resize(arcs.size());
  // Interfaces with the same features share a chain.
  std::map<std::vector<std::uint16_t>, std::uint16_t> known;
  for (const auto& [index, features] : enabled_) {
    for (std::size_t arc = 0; arc < arcs.size(); ++arc) {
      std::vector<std::uint16_t> chain;
      for (const NodeIndex node : arcs[arc].features) {
        if (features.contains(node)) chain.push_back(static_cast<std::uint16_t>(node.value));
      }
      if (chain.empty()) continue;
      const auto [it, fresh] = known.try_emplace(chain, static_cast<std::uint16_t>(chains->nodes.size()));
      if (fresh) {
        chains->nodes.insert(chains->nodes.end(), chain.begin(), chain.end());
        chains->nodes.push_back(FeatureChains::kEnd);
      }
      auto& start = chains->start[arc];
      if (start.size() <= index.slot()) start.resize(index.slot() + 1);
      start[index.slot()] = it->second;
    }
  }
  dataplane_.features().publish(std::move(chains));
}

}  // namespace sluice
