// SPDX-License-Identifier: Apache-2.0
// What `show runtime chains` says: which packets took the fused chains, and what keeps an interface's from them.
#include <fmt/ranges.h>

#include <algorithm>

#include "control/runtime_service.h"

namespace sluice::runtime {

ChainTotals& ChainTotals::operator-=(const ChainTotals& base) {
  calls -= base.calls;
  packets -= base.packets;
  cycles -= base.cycles;
  traced -= base.traced;
  behind -= base.behind;
  return *this;
}

std::vector<ChainTotals> RuntimeService::chain_totals() const {
  std::vector<ChainTotals> all(dataplane_.graph().chains().size());
  for (const auto& thread : dataplane_.workers()) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      const ChainRuntime& chain = thread->worker().graph().chain(i);
      all[i].calls += chain.calls.get();
      all[i].packets += chain.packets.get();
      all[i].cycles += chain.cycles.get();
      all[i].traced += chain.traced_packets.get();
      all[i].behind += chain.behind_packets.get();
    }
  }
  return all;
}

Stream<ChainLoad> RuntimeService::show_chains(const Nothing&) {
  std::vector<ChainTotals> all = chain_totals();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i < chain_base_.size()) all[i] -= chain_base_[i];
    ChainLoad m;
    m.set_chain(fmt::format("{}", fmt::join(dataplane_.graph().chains()[i].nodes, " > ")));
    m.set_calls(all[i].calls);
    m.set_packets(all[i].packets);
    m.set_packets_per_call(ratio(all[i].packets, all[i].calls));
    m.set_cycles_per_packet(ratio(all[i].cycles, all[i].packets));
    m.set_traced(all[i].traced);
    m.set_behind(all[i].behind);
    m.set_cycles(all[i].cycles);
    co_yield m;
  }
}

// The features of an interface on the chain's arcs: of packets that come in by it, or that go out.
InterfaceChain RuntimeService::interface_chain(const InterfaceEntry& entry, const ChainDescription& chain) const {
  const Graph& graph = dataplane_.graph();
  std::vector<std::string> why;
  bool left = false;
  for (std::size_t i = 0; i < chain.nodes.size(); ++i) {
    const Edge& edge = graph.node(graph.find(chain.nodes[i])).edges[chain.codes[i]];
    if (edge.arc == Edge::kNoArc) continue;
    const ArcDescription& arc = graph.arcs()[edge.arc];
    const auto features = features_.enabled(entry.index, arc.name);
    if (features.empty()) continue;
    left |= std::any_of(features.begin(), features.end(),
                        [&](const std::string& f) { return !graph.node(graph.find(f)).description.judge; });
    why.push_back(fmt::format("{} behind {}, for what {} by it", fmt::join(features, ", "), chain.nodes[i],
                              arc.selector == ArcSelector::RxInterface ? "comes in" : "goes out"));
  }
  InterfaceChain m;
  m.set_interface(entry.name);
  const InterfaceState* state = dataplane_.interfaces().get().find(entry.index);
  const bool raw = state && state->link == LinkLayer::Ip && chain.nodes.front() == "ethernet-input";
  m.set_chain(fmt::format("{}", fmt::join(chain.nodes.begin() + (raw ? 1 : 0), chain.nodes.end(), " > ")));
  m.set_state(why.empty() ? "whole" : left ? "left" : "parted");
  m.set_why(fmt::format("{}", fmt::join(why, "; ")));
  return m;
}

Stream<InterfaceChain> RuntimeService::show_interface_chains(const InterfaceChainQuery& query) {
  if (!query.interface().empty() && !interfaces_.find(query.interface()))
    co_yield not_found("interface {} does not exist; show interface lists them", query.interface());
  std::vector<InterfaceChain> rows;
  for (const InterfaceEntry* entry : interfaces_.list()) {
    if (!query.interface().empty() && entry->name != query.interface()) continue;
    for (const ChainDescription& chain : dataplane_.graph().chains()) rows.push_back(interface_chain(*entry, chain));
  }
  for (const InterfaceChain& row : rows) co_yield row;
}

}  // namespace sluice::runtime
