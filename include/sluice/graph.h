// SPDX-License-Identifier: Apache-2.0
// The graph: what nodes there are (Graph, one a process, fixed at start), and one worker's copy of it (GraphRuntime).
#pragma once
#include <sluice/clock.h>
#include <sluice/counter.h>
#include <sluice/feature.h>
#include <sluice/interface.h>
#include <sluice/packet.h>
#include <sluice/pool.h>
#include <sluice/status.h>
#include <sluice/trace.h>
#include <sluice/verdict.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

class Worker;
class GraphRuntime;
struct ChainRuntime;
struct NodeRuntime;

/// Up to kVectorMax packets on their way to one node.
struct Frame {
  NodeIndex node;
  std::uint16_t count = 0;
  bool traced = false;
  Frame* next = nullptr;
  std::array<Packet*, kVectorMax> packets;
};

enum class EdgeKind : std::uint8_t {
  Node,        ///< always the same node
  Continue,    ///< the next feature on the packet's chain, then the node behind the arc
  Device,      ///< the output node of packet.tx_interface
  Registered,  ///< the node that the kernel has put into packet.arc_next
};

struct Edge {
  static constexpr std::uint16_t kNoArc = 0xffff;
  std::string name;
  EdgeKind kind = EdgeKind::Node;
  NodeIndex node;
  std::uint16_t arc = kNoArc;
};

/// A kernel of one worker, behind a type-erased owner.
class KernelBase {
 public:
  virtual ~KernelBase() = default;
  virtual void* get() = 0;
};

/// All that is known of a node before it runs. Made by Registry from the kernel's type.
struct NodeDescription {
  std::string name, summary, plugin;
  std::string form;  ///< "per packet", "staged", "batch", "input"
  std::vector<std::string> nexts, drops, drop_sentences, events;
  std::optional<FeatureInfo> feature;
  bool entry = false;  ///< packets may begin here (NodeInfo::entry)
  void (*describe)(const std::byte* trace, FieldSink& sink) = nullptr;
  std::function<std::unique_ptr<KernelBase>()> make;
  void (*run)(NodeRuntime&, Worker&, Frame*&) noexcept = nullptr;
  /// The kernel alone: says of each packet, none of them traced, where it goes. Null for kernels that make packets.
  void (*judge)(NodeRuntime&, Worker&, std::span<Packet* const>, std::uint16_t* codes) noexcept = nullptr;
  /// For kernels that hold packets: lets go of those whose time has come; null when the kernel holds none.
  void (*release)(NodeRuntime&, Worker&) noexcept = nullptr;
  std::size_t (*held)(const NodeRuntime&) noexcept = nullptr;
  /// Gives everything back; for the end and for the leak check.
  void (*flush)(NodeRuntime&, Worker&) noexcept = nullptr;
};

struct ArcDescription {
  std::string name;
  ArcSelector selector;
  std::vector<std::string> start_nodes;
  std::vector<std::string> start_next;
  std::vector<NodeIndex> features;  ///< all that exist, in the order in which a packet meets them
};

/// A common way through the graph whose kernels are fused (sluice/chain.h).
struct ChainDescription {
  std::vector<std::string> nodes;
  std::vector<std::uint16_t> codes;  ///< of each node's verdict that leads along the chain
  /// Runs a frame from node `at` on and leaves in it what has come through; says how many packets went on from there.
  std::size_t (*run)(ChainRuntime&, std::size_t at, Worker&, Frame&) noexcept = nullptr;
};

class Registry;

/// The nodes, edges and arcs; immutable after build().
class SLUICE_API Graph {
 public:
  struct Node {
    NodeDescription description;
    std::vector<Edge> edges;  ///< by verdict code
    std::optional<std::uint16_t> feature_arc;
  };

  /// Errors: an edge to a node that does not exist, two nodes of one name, an unknown arc, a cycle among features
  /// (named).
  static StatusOr<std::unique_ptr<Graph>> build(Registry& registry);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(NodeIndex index) const { return nodes_[index.value]; }
  NodeIndex find(std::string_view name) const;
  const std::vector<ArcDescription>& arcs() const { return arcs_; }
  const std::vector<ChainDescription>& chains() const { return chains_; }
  std::optional<std::uint16_t> find_arc(std::string_view name) const;
  /// A verdict's words: "ip4-lookup", "drop no-route", "hold".
  std::string verdict(NodeIndex node, std::uint16_t code) const;

 private:
  std::vector<Node> nodes_;
  std::vector<ArcDescription> arcs_;
  std::vector<ChainDescription> chains_;
};

/// A node's place on a chain.
struct ChainPlace {
  ChainRuntime* chain;
  std::size_t at;
};

/// One worker's part of a node: kernel and counters.
struct NodeRuntime {
  NodeIndex index;
  void* kernel = nullptr;
  const Edge* edges = nullptr;
  std::uint16_t edge_count = 0;
  bool plain = false;                          ///< every edge is EdgeKind::Node without an arc
  std::uint16_t continue_code = kVerdictHold;  ///< of Next::Continue
  /// Packets that came through in a chain are among packets and calls, but not what they cost: that is the chain's.
  Counter calls, packets, cycles, fused_packets;
  std::vector<Counter> next_packets, drop_packets, event_counts;
  std::unique_ptr<KernelBase> owner;
  void (*run)(NodeRuntime&, Worker&, Frame*&) noexcept = nullptr;
  void (*judge)(NodeRuntime&, Worker&, std::span<Packet* const>, std::uint16_t*) noexcept = nullptr;
  std::vector<ChainPlace> chains;  ///< that a vector may enter here
  std::size_t chain = 0;           ///< the one that most packets of the last vector stayed on
};

/// One worker's part of a chain.
struct ChainRuntime {
  static constexpr std::size_t kMaxNodes = 8;
  std::size_t size = 0;
  std::array<NodeRuntime*, kMaxNodes> nodes{};
  std::array<const Edge*, kMaxNodes> edges{};  ///< from each node along the chain
  std::array<std::uint16_t, kMaxNodes> codes{};
  std::size_t (*run)(ChainRuntime&, std::size_t at, Worker&, Frame&) noexcept = nullptr;
  Counter calls, packets, cycles;
  /// Packets that took the nodes one by one: beside a traced one, behind others that wait at a node.
  Counter traced_packets, behind_packets;
};

/// One worker's running graph. Worker thread only, but for the counters.
class SLUICE_API GraphRuntime {
 public:
  explicit GraphRuntime(const Graph& graph);
  ~GraphRuntime();
  GraphRuntime(const GraphRuntime&) = delete;
  GraphRuntime& operator=(const GraphRuntime&) = delete;

  /// Gives packets to a node; they run with the next run().
  void enqueue(Worker& worker, NodeIndex node, std::span<Packet* const> packets) noexcept;
  /// Runs until no frame waits.
  void run(Worker& worker) noexcept;
  /// Spreads a frame's packets by their verdicts. Takes the frame over when it can hand it on whole.
  void dispatch(NodeRuntime& from, Worker& worker, Frame*& frame, const std::uint16_t* codes) noexcept;
  /// The same for packets that are in no frame.
  void dispatch(NodeRuntime& from, Worker& worker, std::span<Packet* const> packets,
                const std::uint16_t* codes) noexcept;
  /// Runs what features the packets' interfaces have on an edge's arc. Returns how many come out at its end: they are
  /// in front, in order; the others went elsewhere.
  std::size_t run_features(Worker& worker, const Edge& edge, Packet** packets, std::size_t count) noexcept;
  /// Whether vectors may take chains; they do unless a test or a benchmark says otherwise.
  void use_chains(bool use) { use_chains_ = use; }
  /// Calls release of every kernel that holds packets.
  void release_held(Worker& worker) noexcept;
  void flush_held(Worker& worker) noexcept;
  std::size_t held() const noexcept;

  NodeRuntime& node(NodeIndex index) { return *runtimes_[index.value]; }
  const NodeRuntime& node(NodeIndex index) const { return *runtimes_[index.value]; }
  const Graph& graph() const { return graph_; }
  /// By the order of Graph::chains().
  const ChainRuntime& chain(std::size_t i) const { return *chains_[i]; }
  /// Packets that found no frame, or whose target was gone: shown as `graph-overrun`.
  Counter overrun;

 private:
  void make_chains();
  const ChainPlace* chain_for(NodeRuntime& node, const Frame& frame, bool watched) noexcept;
  void run_chain(NodeRuntime& entry, const ChainPlace& place, Worker& worker, Frame*& frame) noexcept;
  bool is_of_one_interface(const Edge& edge, Packet* const* packets, std::size_t count) const noexcept;
  std::size_t run_features_from(Worker& worker, std::uint16_t position, Packet** packets, std::size_t count) noexcept;
  std::size_t run_feature(NodeRuntime& feature, Worker& worker, Packet** packets, std::size_t count) noexcept;
  void hand_on(Worker& worker, NodeIndex target, Frame*& frame) noexcept;
  Frame* open_frame(NodeIndex node) noexcept;
  void append(Worker& worker, NodeIndex node, Packet* packet) noexcept;
  Frame* take_frame() noexcept;
  void give_frame(Frame* frame) noexcept;
  void queue(Frame* frame) noexcept;
  void lose(Worker& worker, Packet* packet) noexcept;
  bool has_features(const Edge& edge, const FeatureChains& features) const noexcept;
  std::uint16_t first_feature(const Edge& edge, const FeatureChains& features, const Packet& packet) const noexcept;
  static NodeIndex device_of(Worker& worker, const Packet& packet) noexcept;
  NodeIndex resolve(const Edge& edge, Worker& worker, Packet& packet) noexcept;
  bool resolve(const Edge& edge, Worker& worker, std::span<Packet* const> packets, NodeIndex* targets) noexcept;
  void drop(NodeRuntime& from, Worker& worker, Packet* packet, std::uint16_t reason) noexcept;

  const Graph& graph_;
  std::vector<std::unique_ptr<NodeRuntime>> runtimes_;
  std::vector<std::unique_ptr<ChainRuntime>> chains_;
  bool use_chains_ = true;
  std::vector<Frame*> open_;
  std::vector<std::unique_ptr<Frame>> frames_;
  std::vector<NodeIndex> holders_;
  Frame* free_ = nullptr;
  Frame* head_ = nullptr;
  Frame* tail_ = nullptr;
};

}  // namespace sluice
