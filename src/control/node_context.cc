// SPDX-License-Identifier: Apache-2.0
#include "control/node_context.h"

#include <unistd.h>

#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

namespace sluice {
namespace {

class LoopTimer final : public Timer {
 public:
  LoopTimer(asio::io_context& loop, std::chrono::milliseconds period, std::function<void()> function)
      : state_(std::make_shared<State>(loop, period, std::move(function))) {
    arm(state_);
  }
  ~LoopTimer() override {
    state_->stopped = true;
    state_->timer.cancel();
  }

 private:
  struct State {
    State(asio::io_context& loop, std::chrono::milliseconds p, std::function<void()> f)
        : timer(loop), period(p), function(std::move(f)) {}
    asio::steady_timer timer;
    std::chrono::milliseconds period;
    std::function<void()> function;
    bool stopped = false;
  };
  static void arm(const std::shared_ptr<State>& state) {
    state->timer.expires_after(state->period);
    state->timer.async_wait([state](const asio::error_code& error) {
      if (error || state->stopped) return;
      state->function();
      if (!state->stopped) arm(state);
    });
  }
  std::shared_ptr<State> state_;
};

}  // namespace

/// Waits for the workers' messages.
class NodeContext::Watch {
 public:
  Watch(asio::io_context& loop, Dataplane& dataplane)
      : dataplane_(dataplane), descriptor_(loop, dup(dataplane.message_fd())) {
    arm();
  }

 private:
  void arm() {
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
      if (error) return;
      dataplane_.handle_messages();
      arm();
    });
  }
  Dataplane& dataplane_;
  asio::posix::stream_descriptor descriptor_;
};

NodeContext::NodeContext(asio::io_context& loop, Dataplane& dataplane, Api& api, bool unprivileged)
    : loop_(loop),
      dataplane_(dataplane),
      api_(api),
      unprivileged_(unprivileged),
      interfaces_(dataplane),
      features_(dataplane, interfaces_) {}

NodeContext::~NodeContext() {
  // What listens to interfaces is destroyed before them.
  std::vector<InterfaceIndex> all;
  for (const InterfaceEntry* entry : interfaces_.list()) all.push_back(entry->index);
  for (const InterfaceIndex index : all) (void)interfaces_.remove(index, {});
}

void NodeContext::watch() {
  watch_ = std::make_unique<Watch>(loop_, dataplane_);
  carrier_timer_ = every(std::chrono::seconds(1), [this] { interfaces_.check_devices(); });
}

std::unique_ptr<Timer> NodeContext::every(std::chrono::milliseconds period, std::function<void()> function) {
  return std::make_unique<LoopTimer>(loop_, period, std::move(function));
}

bool NodeContext::inject(NodeIndex node, Packet* packet, unsigned worker) {
  return dataplane_.inject(worker, node, packet);
}

Status NodeContext::add_rx_queue(RxQueue& queue, InterfaceIndex interface, NodeIndex node, RxMode mode,
                                 unsigned worker) {
  if (worker >= dataplane_.workers().size()) {
    return refused("worker {}: there are workers 0 to {}", worker, dataplane_.workers().size() - 1);
  }
  return dataplane_.workers()[worker]->add({&queue, interface, node, mode});
}

void NodeContext::remove_rx_queue(RxQueue& queue, std::function<void()> done) {
  for (auto& thread : dataplane_.workers()) thread->remove(&queue);
  rcu().defer(std::move(done));
}

}  // namespace sluice
