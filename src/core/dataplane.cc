// SPDX-License-Identifier: Apache-2.0
#include "core/dataplane.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <set>

#include "core/pages.h"

namespace sluice {

StatusOr<std::unique_ptr<Dataplane>> Dataplane::create(const DataplaneOptions& options,
                                                       std::function<void(Rcu::Function)> post) {
  PoolOptions pool_options = options.pool;
  const HostPages host(pool_options.root);
  // Where no worker is bound to a CPU, the kernel puts memory where it is used first.
  if (pool_options.nodes.empty()) {
    std::set<int> nodes;
    for (const int cpu : options.cpus) nodes.insert(host.node_of_cpu(cpu));
    pool_options.nodes.assign(nodes.begin(), nodes.end());
  }
  auto pool = BufferPool::create(pool_options);
  if (!pool.ok()) return pool.status();
  return std::unique_ptr<Dataplane>(new Dataplane(options, std::move(post), std::move(*pool)));
}

Dataplane::Dataplane(const DataplaneOptions& options, std::function<void(Rcu::Function)> post,
                     std::unique_ptr<BufferPool> pool)
    : options_(options),
      pool_(std::move(pool)),
      rcu_(std::move(post)),
      buffers_(std::make_unique<BufferCache>(*pool_)),
      message_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

Dataplane::~Dataplane() {
  drop_workers();
  buffers_.reset();
  rcu_.drain();
  close(message_fd_);
}

Status Dataplane::build(Registry& registry) {
  auto graph = Graph::build(registry);
  if (!graph.ok()) return graph.status();
  graph_ = std::move(*graph);
  handlers_ = registry.message_handlers();
  auto chains = std::make_unique<FeatureChains>();
  chains->start.resize(graph_->arcs().size());
  features_.publish(std::move(chains));
  auto tx = std::make_unique<TxBindings>();
  tx->by_worker.resize(options_.workers);
  tx_.publish(std::move(tx));

  const WorkerShared shared{*pool_, *graph_, interfaces_, features_, tx_, trace_, capture_};
  const HostPages host(options_.pool.root);
  std::vector<Worker*> peers;
  for (unsigned i = 0; i < options_.workers; ++i) {
    const int node = i < options_.cpus.size() ? host.node_of_cpu(options_.cpus[i]) : -1;
    workers_.push_back(std::make_unique<Worker>(i, options_.workers + 1, shared, pool_->part_of_node(node)));
    workers_.back()->control_fd = message_fd_;
    peers.push_back(workers_.back().get());
  }
  for (unsigned i = 0; i < options_.workers; ++i) {
    workers_[i]->set_peers(peers);
    const auto cpu = i < options_.cpus.size() ? std::optional<int>(options_.cpus[i]) : std::nullopt;
    threads_.push_back(std::make_unique<WorkerThread>(rcu_, *workers_[i], cpu));
  }
  return {};
}

void Dataplane::start() {
  for (auto& thread : threads_) thread->start();
}

void Dataplane::stop() {
  for (auto& thread : threads_) thread->stop();
}

void Dataplane::drop_workers() {
  stop();
  threads_.clear();
  workers_.clear();
}

bool Dataplane::inject(unsigned worker, NodeIndex node, Packet* packet) {
  packet->flags &= ~kTraced;
  const bool taken = worker < workers_.size() && workers_[worker]->ring_from(options_.workers).push({packet, node});
  if (taken) {
    workers_[worker]->wake();
  } else {
    buffers_->free(packet);
  }
  buffers_->publish_count();
  return taken;
}

void Dataplane::release_held() {
  for (auto& worker : workers_) {
    worker->release_requested.store(true, std::memory_order_release);
    worker->wake();
  }
}

void Dataplane::handle_messages() {
  std::uint64_t count = 0;
  (void)!read(message_fd_, &count, sizeof count);
  for (auto& worker : workers_) {
    ControlMessage message;
    while (worker->messages().pop(message)) {
      if (message.kind < handlers_.size()) handlers_[message.kind](message);
    }
  }
}

}  // namespace sluice
