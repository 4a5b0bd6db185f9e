// SPDX-License-Identifier: Apache-2.0
// The operations of runtime.proto.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "control/runtime.pb.h"
#include "core/dataplane.h"
#include "sluice/api.h"
#include "sluice/interfaces.h"

namespace sluice::runtime {

/// 0 when b is.
inline double ratio(std::uint64_t a, std::uint64_t b) {
  return b ? static_cast<double>(a) / static_cast<double>(b) : 0.0;
}

/// Counters of one node over the workers.
struct NodeTotals {
  std::uint64_t calls = 0, packets = 0, cycles = 0, fused = 0;
  std::vector<std::uint64_t> next, drops, events;
  /// Packets that did not come in a chain. The counters were read one after the other, while they rose.
  std::uint64_t separate() const;
  NodeTotals& operator-=(const NodeTotals& base);
};

/// Counters of one chain over the workers.
struct ChainTotals {
  std::uint64_t calls = 0, packets = 0, cycles = 0, traced = 0, behind = 0;
  ChainTotals& operator-=(const ChainTotals& base);
};

/// Where `clear runtime` makes a worker's load count from.
struct WorkerLoad {
  std::uint64_t busy = 0, idle = 0, received = 0, vectors = 0;
};

class RuntimeService {
 public:
  RuntimeService(Dataplane& dataplane, const Interfaces& interfaces, const Features& features)
      : dataplane_(dataplane), interfaces_(interfaces), features_(features) {}
  void offer(Api& api);

 private:
  Stream<NodeLoad> show_runtime(const RuntimeQuery& query);
  Stream<ChainLoad> show_chains(const Nothing&);
  Stream<InterfaceChain> show_interface_chains(const InterfaceChainQuery& query);
  Stream<Error> show_errors(const ErrorQuery& query);
  Status show_node(const NodeQuery& query, Node& reply);
  Stream<GraphNode> show_graph(const Nothing&);
  Stream<Buffers> show_buffers(const Nothing&);
  Stream<Thread> show_threads(const Nothing&);
  Status clear_runtime(const Nothing&, Done& done);
  Status clear_errors(const Nothing&, Done& done);

  NodeTotals totals(NodeIndex node, std::int64_t only_worker = -1) const;
  std::vector<NodeTotals> all_totals() const;
  std::vector<ChainTotals> chain_totals() const;
  InterfaceChain interface_chain(const InterfaceEntry& entry, const ChainDescription& chain) const;

  Dataplane& dataplane_;
  const Interfaces& interfaces_;
  const Features& features_;
  // What `clear` moves; the counters themselves only rise.
  std::vector<NodeTotals> runtime_base_, error_base_;
  std::vector<ChainTotals> chain_base_;
  std::map<unsigned, WorkerLoad> load_base_;
};

/// The static graph for graphviz.
SLUICE_API std::string graph_as_dot(const Graph& graph);

}  // namespace sluice::runtime
