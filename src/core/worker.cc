// SPDX-License-Identifier: Apache-2.0
#include "sluice/worker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "sluice/clock.h"

namespace sluice {
namespace {

constexpr std::uint32_t kEthernetHeader = 14;

}  // namespace

Worker::Worker(unsigned index, unsigned producers, const WorkerShared& shared)
    : index_(index),
      shared_(shared),
      buffers_(shared.pool),
      interface_counters_(kMaxInterfaces),
      wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      drops_(tsc_hz()),
      graph_(shared.graph) {
  for (unsigned i = 0; i < producers; ++i) rings_.push_back(std::make_unique<SpscRing<HandOff>>(kRing));
}

Worker::~Worker() {
  for (auto& ring : rings_) {
    HandOff item{};
    while (ring->pop(item)) buffers_.free(item.packet);
  }
  graph_.flush_held(*this);
  if (wake_fd_ >= 0) close(wake_fd_);
}

void Worker::begin_pass() noexcept {
  interfaces_ = &shared_.interfaces.read(*this);
  features_ = &shared_.features.read(*this);
  tx_ = &shared_.tx.read(*this);
  const TraceState& trace = shared_.trace.read(*this);
  trace_ = trace.requests.empty() ? nullptr : &trace;
  now_ = tsc();
}

bool Worker::report(ControlMessage message) noexcept {
  message.worker = index_;
  if (!messages_.push(message)) {
    lost_messages.add();
    return false;
  }
  if (control_fd >= 0) {
    const std::uint64_t one = 1;
    (void)!write(control_fd, &one, sizeof one);
  }
  return true;
}

bool Worker::hand_off(unsigned worker, NodeIndex node, Packet* packet) noexcept {
  Worker* peer = worker < peers_.size() ? peers_[worker] : nullptr;
  if (!peer || !peer->rings_[index_]->push({packet, node})) {
    lost_handoffs.add();
    return false;
  }
  peer->wake();
  return true;
}

void Worker::wake() noexcept {
  // Pairs with the fence before the sleeper looks at its rings for the last time.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!sleeping.load(std::memory_order_relaxed)) return;
  const std::uint64_t one = 1;
  (void)!write(wake_fd_, &one, sizeof one);
}

bool Worker::take_hand_offs() noexcept {
  bool any = false;
  for (auto& ring : rings_) {
    HandOff item{};
    for (std::size_t i = 0; i < kVectorMax && ring->pop(item); ++i) {
      any = true;
      // The trace slot is another worker's.
      item.packet->flags &= ~kTraced;
      graph_.enqueue(*this, item.node, std::span<Packet* const>(&item.packet, 1));
    }
  }
  return any;
}

bool Worker::has_hand_offs() const noexcept {
  return std::any_of(rings_.begin(), rings_.end(), [](const auto& ring) { return !ring->empty(); });
}

void Worker::trace_start(NodeIndex node, std::span<Packet* const> packets, bool at_input) noexcept {
  TraceBuffer& buffer = *trace_->buffers[index_];
  for (const auto& request : trace_->requests) {
    for (Packet* packet : packets) {
      if (packet->has(kTraced)) continue;
      if (at_input) {
        // The filter sees packets as they came in; a request for a later node remembers the match until then.
        const InterfaceState* in = interface(packet->rx_interface);
        const bool raw = in && in->link == LinkLayer::Ip;
        if (!(raw ? request->ip.matches(*packet, kEthernetHeader) : request->ethernet.matches(*packet))) continue;
        if (request->node != node) {
          packet->flags |= kTraceCandidate;
          continue;
        }
      } else if (request->node != node || request->at_input || !packet->has(kTraceCandidate)) {
        continue;
      }
      if (request->remaining.load(std::memory_order_relaxed) <= 0) continue;
      const std::int64_t slot = buffer.start();
      if (slot < 0 || !request->take()) continue;
      packet->flags |= kTraced;
      packet->trace = static_cast<std::uint32_t>(slot);
    }
  }
}

void Worker::trace_step(std::uint32_t slot, const TraceOrigin& origin, NodeIndex node, std::uint16_t code,
                        const void* payload, std::size_t size) noexcept {
  if (!trace_) return;
  TraceStep step;
  step.tsc = now_;
  step.node = node;
  step.rx_interface = origin.rx_interface;
  step.tx_interface = origin.tx_interface;
  step.length = origin.length;
  step.code = code;
  step.size = static_cast<std::uint16_t>(size);
  std::memcpy(step.payload.data(), payload, size);
  trace_->buffers[index_]->add(slot, step);
}

}  // namespace sluice
