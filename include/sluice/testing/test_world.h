// SPDX-License-Identifier: Apache-2.0
// The least world in which a kernel runs: buffers, tables, a worker without a thread, and time that tests set.
#pragma once
#include <gtest/gtest.h>
#include <sluice/registry.h>
#include <sluice/worker.h>

#include <memory>
#include <span>
#include <vector>

namespace sluice::testing {

using Bytes = std::vector<std::uint8_t>;

class TestWorld {
 public:
  /// fill registers nodes; without it the graph is empty.
  explicit TestWorld(const std::function<void(Registry&)>& fill = {}, std::uint32_t buffers = 2048) {
    auto pool = BufferPool::create({.buffers = buffers, .hugepages = false});
    EXPECT_TRUE(pool.ok());
    pool_ = std::move(*pool);
    if (fill) fill(registry);
    auto graph = Graph::build(registry);
    EXPECT_TRUE(graph.ok()) << text(graph.status());
    graph_ = std::move(*graph);
    features.update([&](FeatureChains& f) { f.start.resize(graph_->arcs().size()); });
    tx.update([](TxBindings& t) { t.by_worker.resize(1); });
    worker_ = std::make_unique<Worker>(0, 2, WorkerShared{*pool_, *graph_, interfaces, features, tx, trace, capture});
    Rcu::register_reader();
    worker_->begin_pass();
  }
  /// Every test ends with the leak check.
  ~TestWorld() {
    worker_->graph().flush_held(*worker_);
    Rcu::unregister_reader();
    worker_->buffers().publish_count();
    EXPECT_EQ(pool_->usage().used, 0u) << "buffers leaked";
    worker_.reset();
  }
  TestWorld(const TestWorld&) = delete;
  TestWorld& operator=(const TestWorld&) = delete;

  Worker& worker() { return *worker_; }
  Graph& graph() { return *graph_; }
  BufferPool& pool() { return *pool_; }

  /// An interface that is up; change says what else it is.
  InterfaceIndex add_interface(const std::function<void(InterfaceState&)>& change = {}) {
    InterfaceIndex index;
    interfaces.update([&](InterfaceTable& table) {
      InterfaceState state;
      index = InterfaceIndex(static_cast<std::uint32_t>(table.slots.size()), 1);
      state.index = index;
      state.up = true;
      if (change) change(state);
      table.slots.push_back(state);
    });
    worker_->begin_pass();
    return index;
  }

  /// A packet with these bytes, over as many segments as it takes.
  Packet* make(std::span<const std::uint8_t> bytes, std::size_t segment_size = kSegmentSize) {
    Packet* head = worker_->buffers().alloc();
    EXPECT_NE(head, nullptr) << "the test's pool is empty";
    Packet* segment = head;
    std::size_t at = 0;
    while (true) {
      const std::size_t n = std::min(bytes.size() - at, segment_size);
      if (n > 0) std::memcpy(segment->data, bytes.data() + at, n);
      segment->length = static_cast<std::uint16_t>(n);
      at += n;
      if (at == bytes.size()) break;
      segment = segment->next_segment = worker_->buffers().alloc();
      EXPECT_NE(segment, nullptr);
    }
    head->chain_length = static_cast<std::uint32_t>(bytes.size());
    return head;
  }
  static Bytes bytes_of(const Packet& packet) {
    Bytes bytes;
    for (const Packet* s = &packet; s; s = s->next_segment) {
      const auto* data = reinterpret_cast<const std::uint8_t*>(s->data);
      bytes.insert(bytes.end(), data, data + s->length);
    }
    return bytes;
  }

  Rcu rcu;
  Registry registry;
  Published<InterfaceTable> interfaces{rcu};
  Published<FeatureChains> features{rcu};
  Published<TxBindings> tx{rcu};
  Published<TraceState> trace{rcu};
  Published<CaptureState> capture{rcu};

 private:
  std::unique_ptr<BufferPool> pool_;
  std::unique_ptr<Graph> graph_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace sluice::testing
