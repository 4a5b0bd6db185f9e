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

namespace sluice::runtime {

/// Counters of one node over the workers.
struct NodeTotals {
  std::uint64_t calls = 0, packets = 0, cycles = 0, fused = 0;
  std::vector<std::uint64_t> next, drops, events;
  /// Packets that did not come in a chain. The counters were read one after the other, while they rose.
  std::uint64_t separate() const;
  NodeTotals& operator-=(const NodeTotals& base);
};

class RuntimeService {
 public:
  explicit RuntimeService(Dataplane& dataplane) : dataplane_(dataplane) {}
  void offer(Api& api);

 private:
  Stream<NodeLoad> show_runtime(const RuntimeQuery& query);
  Stream<Error> show_errors(const ErrorQuery& query);
  Status show_node(const NodeQuery& query, Node& reply);
  Stream<GraphNode> show_graph(const Nothing&);
  Stream<Buffers> show_buffers(const Nothing&);
  Stream<Thread> show_threads(const Nothing&);
  Status clear_runtime(const Nothing&, Done& done);
  Status clear_errors(const Nothing&, Done& done);

  NodeTotals totals(NodeIndex node, std::int64_t only_worker = -1) const;
  std::vector<NodeTotals> all_totals() const;

  Dataplane& dataplane_;
  // What `clear` moves; the counters themselves only rise.
  std::vector<NodeTotals> runtime_base_, error_base_;
  std::map<unsigned, std::pair<std::uint64_t, std::uint64_t>> load_base_;
};

/// The static graph for graphviz.
SLUICE_API std::string graph_as_dot(const Graph& graph);

}  // namespace sluice::runtime
