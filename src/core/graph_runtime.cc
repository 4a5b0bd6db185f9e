// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "sluice/graph.h"
#include "sluice/worker.h"

namespace sluice {

GraphRuntime::GraphRuntime(const Graph& graph) : graph_(graph), open_(graph.nodes().size(), nullptr) {
  for (std::uint32_t i = 0; i < graph.nodes().size(); ++i) {
    const Graph::Node& node = graph.nodes()[i];
    auto runtime = std::make_unique<NodeRuntime>();
    runtime->index = NodeIndex{i};
    runtime->edges = node.edges.data();
    runtime->edge_count = static_cast<std::uint16_t>(node.edges.size());
    runtime->plain = std::all_of(node.edges.begin(), node.edges.end(),
                                 [](const Edge& e) { return e.kind == EdgeKind::Node && e.arc == Edge::kNoArc; });
    runtime->next_packets = std::vector<Counter>(node.edges.size());
    runtime->drop_packets = std::vector<Counter>(node.description.drops.size());
    runtime->event_counts = std::vector<Counter>(node.description.events.size());
    runtime->owner = node.description.make();
    runtime->kernel = runtime->owner->get();
    runtime->run = node.description.run;
    runtime->judge = node.description.judge;
    const auto on =
        std::find_if(node.edges.begin(), node.edges.end(), [](const Edge& e) { return e.kind == EdgeKind::Continue; });
    if (on != node.edges.end()) runtime->continue_code = static_cast<std::uint16_t>(on - node.edges.begin());
    if (node.description.held) holders_.push_back(runtime->index);
    runtimes_.push_back(std::move(runtime));
  }
  make_chains();
  // A frame that runs can at most open one frame for each edge and one more when that is full.
  const std::size_t frames = 2 * graph.nodes().size() + 64;
  for (std::size_t i = 0; i < frames; ++i) {
    frames_.push_back(std::make_unique<Frame>());
    give_frame(frames_.back().get());
  }
}

GraphRuntime::~GraphRuntime() = default;

Frame* GraphRuntime::take_frame() noexcept {
  Frame* frame = free_;
  if (!frame) return nullptr;
  free_ = frame->next;
  frame->count = 0;
  frame->traced = false;
  frame->next = nullptr;
  return frame;
}

void GraphRuntime::give_frame(Frame* frame) noexcept {
  frame->next = free_;
  free_ = frame;
}

void GraphRuntime::queue(Frame* frame) noexcept {
  frame->next = nullptr;
  if (tail_) {
    tail_->next = frame;
  } else {
    head_ = frame;
  }
  tail_ = frame;
  open_[frame->node.value] = frame;
}

void GraphRuntime::lose(Worker& worker, Packet* packet) noexcept {
  overrun.add();
  if (packet->rx_interface.valid()) worker.counters(packet->rx_interface)[InterfaceCounter::Drops].add();
  worker.buffers().free(packet);
}

Frame* GraphRuntime::open_frame(NodeIndex node) noexcept {
  Frame* frame = open_[node.value];
  if (frame && frame->count < kVectorMax) [[likely]]
    return frame;
  frame = take_frame();
  if (!frame) return nullptr;
  frame->node = node;
  queue(frame);
  return frame;
}

void GraphRuntime::append(Worker& worker, NodeIndex node, Packet* packet) noexcept {
  if (node.value >= open_.size()) [[unlikely]] {
    lose(worker, packet);
    return;
  }
  Frame* frame = open_frame(node);
  if (!frame) [[unlikely]] {
    lose(worker, packet);
    return;
  }
  frame->packets[frame->count++] = packet;
}

void GraphRuntime::enqueue(Worker& worker, NodeIndex node, std::span<Packet* const> packets) noexcept {
  while (!packets.empty()) {
    Frame* frame = open_frame(node);
    if (!frame) [[unlikely]] {
      for (Packet* packet : packets) lose(worker, packet);
      return;
    }
    const std::size_t n = std::min(packets.size(), kVectorMax - frame->count);
    std::copy_n(packets.begin(), n, frame->packets.begin() + frame->count);
    frame->count = static_cast<std::uint16_t>(frame->count + n);
    packets = packets.subspan(n);
  }
}

void GraphRuntime::run(Worker& worker) noexcept {
  std::uint64_t before = tsc();
  while (Frame* frame = head_) {
    head_ = frame->next;
    if (!head_) tail_ = nullptr;
    if (open_[frame->node.value] == frame) open_[frame->node.value] = nullptr;
    NodeRuntime& node = *runtimes_[frame->node.value];
    const std::uint16_t count = frame->count;
    worker.set_now(before);
    worker.set_current(&node);
    bool watched = false;  // by a trace request: a step of each of these packets may have to be seen
    frame->traced = false;
    if (worker.tracing()) [[unlikely]] {
      const std::span<Packet* const> packets(frame->packets.data(), count);
      worker.trace_start(node.index, packets, false);
      for (const Packet* packet : packets) {
        frame->traced |= packet->has(kTraced);
        watched |= packet->has(kTraced | kTraceCandidate);
      }
    }
    const ChainPlace* place = node.chains.empty() ? nullptr : chain_for(node, *frame, watched);
    if (place) {
      run_chain(node, *place, worker, frame);
    } else {
      node.run(node, worker, frame);
    }
    if (frame) give_frame(frame);
    const std::uint64_t after = tsc();
    if (place) {
      place->chain->calls.add();
      place->chain->packets.add(count);
      place->chain->cycles.add(after - before);
    } else {
      node.calls.add();
      node.packets.add(count);
      node.cycles.add(after - before);
    }
    before = after;
  }
}

void GraphRuntime::drop(NodeRuntime& from, Worker& worker, Packet* packet, std::uint16_t reason) noexcept {
  from.drop_packets[reason].add();
  if (packet->rx_interface.valid()) worker.counters(packet->rx_interface)[InterfaceCounter::Drops].add();
  worker.drops().note(from.index, reason, *packet, worker.now());
  if (worker.capturing()) [[unlikely]]
    worker.capture_dropped(from.index, reason, *packet);
  worker.buffers().free(packet);
}

bool GraphRuntime::has_features(const Edge& edge, const FeatureChains& features) const noexcept {
  return edge.arc != Edge::kNoArc && !features.start[edge.arc].empty();
}

std::uint16_t GraphRuntime::first_feature(const Edge& edge, const FeatureChains& features,
                                          const Packet& packet) const noexcept {
  const bool rx = graph_.arcs()[edge.arc].selector == ArcSelector::RxInterface;
  return features.first(edge.arc, (rx ? packet.rx_interface : packet.tx_interface).slot());
}

NodeIndex GraphRuntime::device_of(Worker& worker, const Packet& packet) noexcept {
  const InterfaceState* out = worker.interface(packet.tx_interface);
  return out ? out->output_node : NodeIndex{};
}

NodeIndex GraphRuntime::resolve(const Edge& edge, Worker& worker, Packet& packet) noexcept {
  NodeIndex target = edge.node;
  const FeatureChains& features = worker.features();
  switch (edge.kind) {
    case EdgeKind::Node: break;
    case EdgeKind::Continue: {
      const std::uint16_t node = features.nodes[++packet.feature_position];
      return NodeIndex{node == FeatureChains::kEnd ? packet.arc_next : node};
    }
    case EdgeKind::Device:
      target = device_of(worker, packet);
      if (!target.valid()) return {};
      break;
    case EdgeKind::Registered: target = NodeIndex{packet.arc_next}; break;
  }
  if (has_features(edge, features)) {
    if (const std::uint16_t first = first_feature(edge, features, packet)) {
      packet.arc_next = static_cast<std::uint16_t>(target.value);
      packet.feature_position = first;
      return NodeIndex{features.nodes[first]};
    }
  }
  return target;
}

bool GraphRuntime::resolve(const Edge& edge, Worker& worker, std::span<Packet* const> packets,
                           NodeIndex* targets) noexcept {
  if (edge.kind == EdgeKind::Node && !has_features(edge, worker.features())) {
    targets[0] = edge.node;
    return true;
  }
  std::uint32_t differs = 0;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    targets[i] = resolve(edge, worker, *packets[i]);
    differs |= targets[i].value ^ targets[0].value;
  }
  return differs == 0;
}

void GraphRuntime::hand_on(Worker& worker, NodeIndex target, Frame*& frame) noexcept {
  if (target.value < open_.size() && !open_[target.value]) [[likely]] {
    frame->node = target;
    queue(frame);
    frame = nullptr;
    return;
  }
  for (std::size_t i = 0; i < frame->count; ++i) append(worker, target, frame->packets[i]);
}

void GraphRuntime::dispatch(NodeRuntime& from, Worker& worker, Frame*& frame, const std::uint16_t* codes) noexcept {
  const std::uint16_t first = codes[0];
  const std::span<Packet* const> packets(frame->packets.data(), frame->count);
  // Each is as the one behind it.
  const bool differs = std::memcmp(codes, codes + 1, (packets.size() - 1) * sizeof *codes) != 0;
  if (differs || (first >= from.edge_count && first != kVerdictHold)) {
    dispatch(from, worker, packets, codes);
    return;
  }
  if (first == kVerdictHold) return;
  from.next_packets[first].add(packets.size());
  std::array<NodeIndex, kVectorMax> targets;
  if (resolve(from.edges[first], worker, packets, targets.data())) {
    hand_on(worker, targets[0], frame);
  } else {
    for (std::size_t i = 0; i < packets.size(); ++i) append(worker, targets[i], packets[i]);
  }
}

void GraphRuntime::dispatch(NodeRuntime& from, Worker& worker, std::span<Packet* const> packets,
                            const std::uint16_t* codes) noexcept {
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const std::uint16_t code = codes[i];
    Packet* packet = packets[i];
    if (code < from.edge_count) [[likely]] {
      from.next_packets[code].add();
      const Edge& edge = from.edges[code];
      append(worker, from.plain ? edge.node : resolve(edge, worker, *packet), packet);
    } else if (code & kVerdictDropBit) {
      drop(from, worker, packet, code & 0x7fff);
    }
  }
}

void GraphRuntime::release_held(Worker& worker) noexcept {
  for (const NodeIndex index : holders_) {
    NodeRuntime& node = *runtimes_[index.value];
    const NodeDescription& description = graph_.node(index).description;
    if (description.held(node) == 0) continue;
    worker.set_now(tsc());
    worker.set_current(&node);
    description.release(node, worker);
  }
}

void GraphRuntime::flush_held(Worker& worker) noexcept {
  for (const NodeIndex index : holders_) graph_.node(index).description.flush(*runtimes_[index.value], worker);
}

std::size_t GraphRuntime::held() const noexcept {
  std::size_t total = 0;
  for (const NodeIndex index : holders_) {
    total += graph_.node(index).description.held(*runtimes_[index.value]);
  }
  return total;
}

}  // namespace sluice
