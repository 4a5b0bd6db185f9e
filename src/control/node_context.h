// SPDX-License-Identifier: Apache-2.0
// What the daemon gives plugins, made of its parts.
#pragma once
#include <asio/io_context.hpp>
#include <memory>
#include <string>
#include <utility>

#include "core/dataplane.h"
#include "interface/feature_manager.h"
#include "interface/interface_manager.h"
#include "sluice/api.h"
#include "sluice/context.h"

namespace sluice {

class SLUICE_API NodeContext final : public Context {
 public:
  NodeContext(asio::io_context& loop, Dataplane& dataplane, Api& api, bool unprivileged);
  ~NodeContext() override;

  asio::io_context& loop() override { return loop_; }
  Rcu& rcu() override { return dataplane_.rcu(); }
  BufferPool& pool() override { return dataplane_.pool(); }
  InterfaceManager& interfaces() override { return interfaces_; }
  FeatureManager& features() override { return features_; }
  Routes* routes() override { return routes_; }
  LocalDelivery* local() override { return local_; }
  Api& api() override { return api_; }
  const Graph& graph() const override { return dataplane_.graph(); }
  unsigned workers() const override { return dataplane_.worker_count(); }
  bool unprivileged() const override { return unprivileged_; }
  std::string run_folder() const override { return run_folder_; }
  std::unique_ptr<Timer> every(std::chrono::milliseconds period, std::function<void()> function) override;
  Packet* alloc_packet() override { return dataplane_.buffers().alloc(); }
  void free_packet(Packet* packet) override { dataplane_.buffers().free(packet); }
  bool inject(NodeIndex node, Packet* packet, unsigned worker) override;
  Status add_rx_queue(RxQueue& queue, InterfaceIndex interface, NodeIndex node, RxMode mode, unsigned worker) override;
  void remove_rx_queue(RxQueue& queue, std::function<void()> done) override;
  void release_held() override { dataplane_.release_held(); }

  void set_routes(Routes* routes) { routes_ = routes; }
  void set_local(LocalDelivery* local) { local_ = local; }
  void set_run_folder(std::string folder) { run_folder_ = std::move(folder); }
  /// Begins to hear the workers' messages and to look after carriers; after Dataplane::build().
  void watch();

 private:
  class Watch;
  asio::io_context& loop_;
  Dataplane& dataplane_;
  Api& api_;
  const bool unprivileged_;
  InterfaceManager interfaces_;
  FeatureManager features_;
  Routes* routes_ = nullptr;
  LocalDelivery* local_ = nullptr;
  std::string run_folder_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Timer> carrier_timer_;
};

}  // namespace sluice
