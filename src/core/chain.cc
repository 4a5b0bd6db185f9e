// SPDX-License-Identifier: Apache-2.0
#include "sluice/chain.h"

#include <algorithm>

namespace sluice {

ChainPass::ChainPass(ChainRuntime& c, Worker& w, Packet** p, std::size_t n) noexcept
    : chain(c), worker(w), packets(p), count(n) {
  const FeatureChains& features = w.features();
  for (std::size_t i = 0; i < c.size; ++i) {
    const std::uint16_t arc = c.edges[i]->arc;
    if (arc != Edge::kNoArc && !features.start[arc].empty()) hooks |= 1u << i;
  }
}

void ChainPass::end_stretch(std::size_t first, std::size_t last) noexcept {
  std::size_t n = entered;
  for (std::size_t i = first; i <= last && n > 0; ++i) {
    NodeRuntime& node = *chain.nodes[i];
    node.calls.add();
    node.packets.add(n);
    node.fused_packets.add(n);
    n -= left_at[i];
    if (n > 0) node.next_packets[chain.codes[i]].add(n);
  }
  if (!began) stayed = entered - left_at[first];
  began = true;
  if (left > 0) [[unlikely]]
    send_away(first, last);
  if (count > 0 && (hooks >> last & 1)) [[unlikely]]
    count = worker.graph().run_features(worker, *chain.edges[last], packets, count);
}

// By node, in the order in which separate nodes would have come to them.
void ChainPass::send_away(std::size_t first, std::size_t last) noexcept {
  std::array<Packet*, kVectorMax> from;
  std::array<std::uint16_t, kVectorMax> codes;
  for (std::size_t node = first; node <= last; ++node) {
    if (left_at[node] == 0) continue;
    std::size_t n = 0;
    for (std::size_t i = 0; i < left; ++i) {
      if (left_nodes[i] != node) continue;
      from[n] = left_packets[i];
      codes[n++] = left_codes[i];
    }
    worker.graph().dispatch(*chain.nodes[node], worker, std::span<Packet* const>(from.data(), n), codes.data());
    left_at[node] = 0;
  }
  left = 0;
}

void GraphRuntime::make_chains() {
  for (const ChainDescription& description : graph_.chains()) {
    auto chain = std::make_unique<ChainRuntime>();
    chain->size = description.nodes.size();
    chain->run = description.run;
    for (std::size_t i = 0; i < chain->size; ++i) {
      NodeRuntime& node = *runtimes_[graph_.find(description.nodes[i]).value];
      chain->nodes[i] = &node;
      chain->codes[i] = description.codes[i];
      chain->edges[i] = &node.edges[description.codes[i]];
      // From the last node on there is nothing to fuse.
      if (i + 1 < chain->size) node.chains.push_back({chain.get(), i});
    }
    chains_.push_back(std::move(chain));
  }
}

// Null: the nodes one by one.
const ChainPlace* GraphRuntime::chain_for(NodeRuntime& node, const Frame& frame, bool watched) noexcept {
  if (!use_chains_) return nullptr;
  const ChainPlace& place = node.chains[node.chain];
  if (watched) {
    place.chain->traced_packets.add(frame.count);
    return nullptr;
  }
  // Of a flow that waits at a node further on, no packet may overtake another.
  for (std::size_t i = place.at + 1; head_ && i < place.chain->size; ++i) {
    if (!open_[place.chain->nodes[i]->index.value]) continue;
    place.chain->behind_packets.add(frame.count);
    return nullptr;
  }
  return &place;
}

void GraphRuntime::run_chain(NodeRuntime& entry, const ChainPlace& place, Worker& worker, Frame*& frame) noexcept {
  ChainRuntime& chain = *place.chain;
  const std::size_t count = frame->count;
  const std::size_t stayed = chain.run(chain, place.at, worker, *frame);
  if (entry.chains.size() > 1 && 2 * stayed < count) entry.chain = (entry.chain + 1) % entry.chains.size();
  if (frame->count == 0) return;
  const std::span<Packet* const> packets(frame->packets.data(), frame->count);
  const InterfaceIndex out = packets[0]->tx_interface;
  if (std::all_of(packets.begin(), packets.end(), [&](const Packet* p) { return p->tx_interface == out; })) {
    hand_on(worker, device_of(worker, *packets[0]), frame);
  } else {
    for (Packet* packet : packets) append(worker, device_of(worker, *packet), packet);
  }
}

std::size_t GraphRuntime::run_features(Worker& worker, const Edge& edge, Packet** packets, std::size_t count) noexcept {
  if (count == 0) return 0;
  const FeatureChains& features = worker.features();
  const std::uint16_t common = first_feature(edge, features, *packets[0]);
  const auto begin = [&](Packet& packet, std::uint16_t position) {
    const NodeIndex behind = edge.kind == EdgeKind::Node ? edge.node : device_of(worker, packet);
    packet.arc_next = static_cast<std::uint16_t>(behind.value);
    packet.feature_position = position;
  };
  if (is_of_one_interface(edge, packets, count)) {
    if (common == 0) return count;
    for (std::size_t i = 0; i < count; ++i) begin(*packets[i], common);
    return run_features_from(worker, common, packets, count);
  }
  std::array<std::uint16_t, kVectorMax> first;
  std::uint16_t differs = 0;
  for (std::size_t i = 0; i < count; ++i) {
    first[i] = first_feature(edge, features, *packets[i]);
    differs |= static_cast<std::uint16_t>(first[i] ^ common);
    if (first[i] != 0) begin(*packets[i], first[i]);
  }
  if (differs == 0) return common == 0 ? count : run_features_from(worker, common, packets, count);
  // Interfaces with other features are other flows: nothing is overtaken.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (first[i] == 0) {
      packets[kept++] = packets[i];
    } else {
      append(worker, NodeIndex{features.nodes[first[i]]}, packets[i]);
    }
  }
  return kept;
}

bool GraphRuntime::is_of_one_interface(const Edge& edge, Packet* const* packets, std::size_t count) const noexcept {
  const auto interface =
      graph_.arcs()[edge.arc].selector == ArcSelector::RxInterface ? &Packet::rx_interface : &Packet::tx_interface;
  std::uint32_t differs = 0;
  for (std::size_t i = 1; i < count; ++i) {
    differs |= (packets[i]->*interface).value ^ (packets[0]->*interface).value;
  }
  return differs == 0;
}

// All packets are on one chain of features, at this position, and know it.
std::size_t GraphRuntime::run_features_from(Worker& worker, std::uint16_t position, Packet** packets,
                                            std::size_t count) noexcept {
  const FeatureChains& features = worker.features();
  while (count > 0 && features.nodes[position] != FeatureChains::kEnd) {
    NodeRuntime& feature = *runtimes_[features.nodes[position]];
    if (!feature.judge || open_[feature.index.value]) {
      enqueue(worker, feature.index, std::span<Packet* const>(packets, count));
      return 0;
    }
    count = run_feature(feature, worker, packets, count);
    ++position;
    for (std::size_t i = 0; i < count; ++i) packets[i]->feature_position = position;
  }
  return count;
}

std::size_t GraphRuntime::run_feature(NodeRuntime& feature, Worker& worker, Packet** packets,
                                      std::size_t count) noexcept {
  std::array<std::uint16_t, kVectorMax> codes;
  worker.set_current(&feature);
  feature.judge(feature, worker, std::span<Packet* const>(packets, count), codes.data());
  feature.calls.add();
  feature.packets.add(count);
  feature.fused_packets.add(count);
  std::array<Packet*, kVectorMax> away;
  std::size_t kept = 0, left = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (codes[i] == feature.continue_code) [[likely]] {
      packets[kept++] = packets[i];
    } else {
      codes[left] = codes[i];
      away[left++] = packets[i];
    }
  }
  feature.next_packets[feature.continue_code].add(kept);
  if (left > 0) dispatch(feature, worker, std::span<Packet* const>(away.data(), left), codes.data());
  return kept;
}

}  // namespace sluice
