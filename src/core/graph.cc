// SPDX-License-Identifier: Apache-2.0
#include "sluice/graph.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/feature_order.h"
#include "sluice/registry.h"

namespace sluice {
namespace {

Status add_nodes(Registry& registry, std::vector<Graph::Node>& nodes) {
  std::set<std::string_view> names;
  for (NodeDescription& description : registry.nodes()) {
    if (!names.insert(description.name).second) {
      return exists("node {} is registered twice (the second time by {})", description.name, description.plugin);
    }
    nodes.push_back({description, {}, std::nullopt});
  }
  if (nodes.size() >= FeatureChains::kEnd)
    return exhausted("{} nodes; at most {}", nodes.size(), FeatureChains::kEnd - 1);
  return {};
}

Status resolve_edges(Graph& graph, std::vector<Graph::Node>& nodes) {
  for (Graph::Node& node : nodes) {
    for (const std::string& name : node.description.nexts) {
      Edge edge{.name = name};
      if (name == "continue") {
        edge.kind = EdgeKind::Continue;
        if (!node.description.feature) {
          return refused("node {}: Next::Continue is for features; add kFeature and registry.feature<>()",
                         node.description.name);
        }
      } else if (name == "device") {
        edge.kind = EdgeKind::Device;
      } else if (name == "registered") {
        edge.kind = EdgeKind::Registered;
      } else {
        edge.node = graph.find(name);
        if (!edge.node.valid()) {
          return not_found("node {}: next node {} does not exist; load the plugin that adds it", node.description.name,
                           name);
        }
      }
      node.edges.push_back(std::move(edge));
    }
  }
  return {};
}

void add_once(std::vector<std::string>& names, std::string_view name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
}

Status hang_arc(const ArcInfo& info, const Graph& graph, std::vector<Graph::Node>& nodes,
                std::vector<ArcDescription>& arcs) {
  auto arc = std::find_if(arcs.begin(), arcs.end(), [&](const ArcDescription& a) { return a.name == info.name; });
  if (arc == arcs.end()) arc = arcs.insert(arc, {std::string(info.name), info.selector, {}, {}, {}});
  if (arc->selector != info.selector) return refused("arc {}: declared with both selectors", info.name);
  add_once(arc->start_nodes, info.start_node);
  const auto id = static_cast<std::uint16_t>(arc - arcs.begin());
  const NodeIndex start = graph.find(info.start_node);
  for (const std::string_view next : info.start_next) {
    add_once(arc->start_next, next);
    // A node that a build leaves out takes its arcs along.
    if (!start.valid()) continue;
    auto& edges = nodes[start.value].edges;
    const auto edge = std::find_if(edges.begin(), edges.end(), [&](const Edge& e) { return e.name == next; });
    if (edge == edges.end()) return not_found("arc {}: node {} has no edge to {}", info.name, info.start_node, next);
    if (edge->arc != Edge::kNoArc) return exists("arc {}: edge {} to {} has an arc", info.name, info.start_node, next);
    edge->arc = id;
  }
  return {};
}

Status check_chain(const ChainDescription& chain, const Graph& graph) {
  for (const std::string& node : chain.nodes) {
    if (!graph.find(node).valid()) return not_found("chain from {}: there is no node {}", chain.nodes.front(), node);
  }
  return {};
}

}  // namespace

StatusOr<std::unique_ptr<Graph>> Graph::build(Registry& registry) {
  auto graph = std::make_unique<Graph>();
  if (auto status = add_nodes(registry, graph->nodes_); !status.ok()) return status;
  if (auto status = resolve_edges(*graph, graph->nodes_); !status.ok()) return status;

  std::map<std::string, std::vector<FeatureOnArc>> on_arc;
  for (std::uint32_t i = 0; i < graph->nodes_.size(); ++i) {
    const auto& feature = graph->nodes_[i].description.feature;
    if (!feature) continue;
    on_arc[std::string(feature->arc)].push_back({graph->nodes_[i].description.name, NodeIndex{i}, *feature});
  }
  for (const ArcInfo& info : registry.arcs()) {
    if (auto status = hang_arc(info, *graph, graph->nodes_, graph->arcs_); !status.ok()) return status;
  }
  for (std::uint16_t id = 0; id < graph->arcs_.size(); ++id) {
    ArcDescription& arc = graph->arcs_[id];
    auto order = order_features(arc.name, std::move(on_arc[arc.name]), arc.start_nodes, arc.start_next);
    if (!order.ok()) return order.status();
    for (const NodeIndex node : *order) graph->nodes_[node.value].feature_arc = id;
    arc.features = std::move(*order);
    on_arc.erase(arc.name);
  }
  for (const auto& [name, features] : on_arc) {
    if (!features.empty()) return not_found("feature {}: there is no arc {}", features.front().name, name);
  }
  for (const ChainDescription& chain : registry.chains()) {
    if (auto status = check_chain(chain, *graph); !status.ok()) return status;
    graph->chains_.push_back(chain);
  }
  return graph;
}

NodeIndex Graph::find(std::string_view name) const {
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].description.name == name) return NodeIndex{i};
  }
  return {};
}

std::optional<std::uint16_t> Graph::find_arc(std::string_view name) const {
  for (std::size_t i = 0; i < arcs_.size(); ++i) {
    if (arcs_[i].name == name) return static_cast<std::uint16_t>(i);
  }
  return std::nullopt;
}

std::string Graph::verdict(NodeIndex index, std::uint16_t code) const {
  const NodeDescription& d = node(index).description;
  if (code == kVerdictHold) return "hold";
  if (code & kVerdictDropBit) {
    const std::size_t reason = code & 0x7fff;
    return "drop " + (reason < d.drops.size() ? d.drops[reason] : std::string("?"));
  }
  return code < d.nexts.size() ? d.nexts[code] : "?";
}

}  // namespace sluice
