// SPDX-License-Identifier: Apache-2.0
// The running dataplane: RCU, buffers, published tables, graph, workers. Control thread only, but where said otherwise.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "core/worker_thread.h"
#include "sluice/registry.h"

namespace sluice {

struct DataplaneOptions {
  unsigned workers = 1;
  std::vector<int> cpus;  ///< one for each worker, or empty: not pinned
  PoolOptions pool;
};

class SLUICE_API Dataplane {
 public:
  /// post runs a function on the control loop; may be empty in tests.
  static StatusOr<std::unique_ptr<Dataplane>> create(const DataplaneOptions& options,
                                                     std::function<void(Rcu::Function)> post);
  ~Dataplane();

  /// Makes graph and workers of what was registered. Once.
  Status build(Registry& registry);
  void start();
  void stop();
  /// Ends the workers and their kernels, which point into state that goes next.
  void drop_workers();

  Rcu& rcu() { return rcu_; }
  BufferPool& pool() { return *pool_; }
  /// The control thread's own buffers.
  BufferCache& buffers() { return *buffers_; }
  const Graph& graph() const { return *graph_; }
  Published<InterfaceTable>& interfaces() { return interfaces_; }
  Published<FeatureChains>& features() { return features_; }
  Published<TxBindings>& tx() { return tx_; }
  Published<TraceState>& trace() { return trace_; }
  Published<CaptureState>& capture() { return capture_; }
  std::vector<std::unique_ptr<WorkerThread>>& workers() { return threads_; }
  unsigned worker_count() const { return options_.workers; }

  /// Gives a packet of the control thread's to a node of a worker; false when the ring is full, and the packet is
  /// freed.
  bool inject(unsigned worker, NodeIndex node, Packet* packet);
  /// Has every worker call release() of its holders soon.
  void release_held();
  /// Readable when workers have sent messages.
  int message_fd() const { return message_fd_; }
  /// Takes the workers' messages and runs their handlers.
  void handle_messages();

 private:
  Dataplane(const DataplaneOptions& options, std::function<void(Rcu::Function)> post, std::unique_ptr<BufferPool> pool);

  const DataplaneOptions options_;
  std::unique_ptr<BufferPool> pool_;
  Rcu rcu_;
  Published<InterfaceTable> interfaces_{rcu_};
  Published<FeatureChains> features_{rcu_};
  Published<TxBindings> tx_{rcu_};
  Published<TraceState> trace_{rcu_};
  Published<CaptureState> capture_{rcu_};
  std::unique_ptr<BufferCache> buffers_;
  std::unique_ptr<Graph> graph_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<WorkerThread>> threads_;
  std::vector<std::function<void(const ControlMessage&)>> handlers_;
  int message_fd_ = -1;
};

}  // namespace sluice
