// SPDX-License-Identifier: Apache-2.0
// Runs a kernel in a fused chain (sluice/chain.h) of its own: behind a node that takes some packets out of the vector,
// in front of one that stands for where a verdict leads. What NodeTest does with kernels that can be fused.
#pragma once
#include <sluice/chain.h>
#include <sluice/registry.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::testing {

/// What a chain takes: kernels that make no packets, hold none and count no events.
template <class K>
concept Fusible =
    (PerPacketPlain<K> || Staged<K>) && !CountsEvents<K> && !Holds<K> && enum_count<typename K::Next>() > 0;

/// Packets and the verdicts that they came to their nodes by.
using Arrivals = std::vector<std::pair<Packet*, std::uint16_t>>;

namespace fused {

/// Where packets go that leave the chain by verdict Code.
template <std::uint16_t Code>
struct Sink {
  static constexpr char kName[] = {'s', 'i', 'n', 'k', '-', static_cast<char>('a' + Code), 0};
  static constexpr NodeInfo kInfo{kName, "notes what comes"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t {};
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  Arrivals& came;
  Verdict operator()(Packet& packet, Worker&, Trace*) const noexcept {
    came.emplace_back(&packet, Code);
    return Hold;
  }
};

/// Drops those that are not wanted, so that others move up.
struct Opening {
  static constexpr NodeInfo kInfo{"fused-opening", "drops some packets"};
  enum class Next : std::uint8_t { FusedKernel };
  enum class Drop : std::uint8_t { Stranger };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  std::vector<Packet*> strangers;
  Verdict operator()(Packet& packet, Worker&, Trace*) const noexcept {
    if (std::find(strangers.begin(), strangers.end(), &packet) != strangers.end()) return Drop::Stranger;
    return Next::FusedKernel;
  }
};

/// K under the name that Opening's verdict has.
template <class K>
struct Named {
  static constexpr NodeInfo kInfo{"fused-kernel", "runs the kernel that is tested"};
  using Next = typename K::Next;
  using Drop = typename K::Drop;
  using Verdict = typename K::Verdict;
  using Trace = typename K::Trace;
  K* kernel;
  void begin(Worker& worker) noexcept {
    if constexpr (requires { kernel->begin(worker); }) kernel->begin(worker);
  }
};
template <class K>
struct FusedKernel : Named<K> {
  typename K::Verdict operator()(Packet& packet, Worker& worker, typename K::Trace* trace) const noexcept {
    return (*this->kernel)(packet, worker, trace);
  }
};
template <Staged K>
struct FusedKernel<K> : Named<K> {
  using Key = typename K::Key;
  Key prepare(Packet& packet, Worker& worker) const noexcept { return this->kernel->prepare(packet, worker); }
  std::size_t steps() const noexcept { return steps_of(*this->kernel); }
  void step(Packet& packet, Key& key, Worker& worker) const noexcept
    requires requires(K& k) { k.step(packet, key, worker); }
  {
    this->kernel->step(packet, key, worker);
  }
  void settle(Packet& packet, Key& key, Worker& worker) const noexcept
    requires Settles<K>
  {
    this->kernel->settle(packet, key, worker);
  }
  typename K::Verdict finish(Packet& packet, Key& key, Worker& worker, typename K::Trace* trace) const noexcept {
    return this->kernel->finish(packet, key, worker, trace);
  }
};

/// Stands for the node that K's verdict Code leads to.
template <class K, std::uint16_t Code>
struct Closing {
  static constexpr NodeInfo kInfo{names_of<typename K::Next>()[Code], "is the end of the chain"};
  enum class Next : std::uint8_t { Device };
  enum class Drop : std::uint8_t {};
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  Verdict operator()(Packet&, Worker&, Trace*) const noexcept { return Next::Device; }
};

}  // namespace fused

/// The chains of one kernel: for each of its verdicts one that goes on by it.
template <Fusible K>
class FusedRun {
 public:
  static constexpr std::size_t kVerdicts = enum_count<typename K::Next>();
  static_assert(kVerdicts <= 26, "fused::Sink has no more names");

  /// Adds the nodes where packets end that leave a chain. came: must outlive the graph.
  static void add_sinks(Registry& registry, Arrivals& came) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (registry.node<fused::Sink<static_cast<std::uint16_t>(I)>>(came), ...);
    }(std::make_index_sequence<kVerdicts>{});
  }

  FusedRun(K& kernel, Graph& graph, Arrivals& came) : came_(came) {
    kernel_.kernel = &kernel;
    begin(opening_node_, &opening_, 1, 1);
    begin(kernel_node_, &kernel_, kVerdicts, enum_count<typename K::Drop>());
    begin(closing_node_, &closing_, 1, 0);
    for (std::size_t i = 0; i < kVerdicts; ++i) {
      Edge edge;
      edge.node = graph.find(std::string("sink-") + static_cast<char>('a' + i));
      edges_.push_back(edge);
    }
    kernel_node_.edges = edges_.data();
    opening_node_.edges = closing_node_.edges = &other_edge_;
  }

  /// Runs a vector (at most kVectorMax packets, none of them traced) through the chain that goes on by verdict along;
  /// at: 0 begins before the kernel, where strangers are dropped, 1 with it. Afterwards `came` has the packets that
  /// were not dropped, which the caller owns again; drops() what was dropped in this run.
  void run(std::size_t along, std::size_t at, Worker& worker, std::span<Packet* const> packets,
           std::vector<Packet*> strangers) {
    opening_.strangers = std::move(strangers);
    for (const Counter& counter : kernel_node_.drop_packets) before_.push_back(counter.get());
    came_.clear();
    Frame frame;
    frame.count = static_cast<std::uint16_t>(packets.size());
    std::copy(packets.begin(), packets.end(), frame.packets.begin());
    worker.set_current(&opening_node_);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((I == along ? run_along<static_cast<std::uint16_t>(I)>(at, worker, frame) : void()), ...);
    }(std::make_index_sequence<kVerdicts>{});
    for (std::size_t i = 0; i < frame.count; ++i) came_.emplace_back(frame.packets[i], along);
    worker.graph().run(worker);
  }
  /// By reason: packets that the kernel has dropped since the last call.
  std::vector<std::uint64_t> drops() {
    std::vector<std::uint64_t> dropped;
    for (std::size_t i = 0; i < kernel_node_.drop_packets.size(); ++i)
      dropped.push_back(kernel_node_.drop_packets[i].get() - before_[i]);
    before_.clear();
    return dropped;
  }

 private:
  static void begin(NodeRuntime& node, void* kernel, std::size_t edges, std::size_t reasons) {
    node.index = NodeIndex{0};
    node.kernel = kernel;
    node.edge_count = static_cast<std::uint16_t>(edges);
    node.plain = true;
    node.next_packets = std::vector<Counter>(edges);
    node.drop_packets = std::vector<Counter>(reasons);
  }

  template <std::uint16_t Code>
  void run_along(std::size_t at, Worker& worker, Frame& frame) {
    using Fused = Chain<fused::Opening, fused::FusedKernel<K>, fused::Closing<K, Code>>;
    ChainRuntime chain;
    chain.size = Fused::kSize;
    chain.nodes = {&opening_node_, &kernel_node_, &closing_node_};
    for (std::size_t i = 0; i < chain.size; ++i) {
      chain.codes[i] = Fused::kCodes[i];
      chain.edges[i] = &chain.nodes[i]->edges[chain.codes[i]];
    }
    Fused::run(chain, at, worker, frame);
  }

  Arrivals& came_;
  fused::Opening opening_;
  fused::FusedKernel<K> kernel_{};
  fused::Closing<K, 0> closing_;
  NodeRuntime opening_node_, kernel_node_, closing_node_;
  std::vector<Edge> edges_;
  Edge other_edge_;
  std::vector<std::uint64_t> before_;
};

}  // namespace sluice::testing
