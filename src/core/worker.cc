// SPDX-License-Identifier: Apache-2.0
#include "sluice/worker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "sluice/clock.h"

namespace sluice {
namespace {

constexpr std::uint32_t kEthernetHeader = 14;
// So many requests may trace one packet. More than there can be: a stale handle must not lead in circles.
constexpr int kRequestsOfPacket = 16;
constexpr unsigned kWakeBits = 64;

/// Whether a request wants a packet, as it came in.
bool is_wanted(const TraceRequest& request, const Worker& worker, const Packet& packet) noexcept {
  if (request.interface.valid() && request.interface == packet.rx_interface) return true;
  const InterfaceState* in = worker.interface(packet.rx_interface);
  const bool raw = in && in->link == LinkLayer::Ip;
  return raw ? request.ip.matches(packet, kEthernetHeader) : request.ethernet.matches(packet);
}

/// Calls each(request, slot) for the requests that a handle leads to, until one says false.
template <class F>
void walk(const TraceState& state, std::uint32_t handle, unsigned worker, F&& each) noexcept {
  for (int i = 0; i < kRequestsOfPacket && handle != TraceHandle::kNone; ++i) {
    const TraceRequest* request = state.find(handle);
    if (!request || !each(*request, TraceHandle::slot(handle))) return;  // null: it ended while the packet was held
    handle = request->buffers[worker]->also(TraceHandle::slot(handle));
  }
}

/// Traces a packet for a request, beside others that do.
void begin_trace(const TraceState& state, const TraceRequest& request, unsigned worker, Packet& packet) noexcept {
  const std::uint32_t others = packet.has(kTraced) ? packet.trace : TraceHandle::kNone;
  bool has_it = false;
  walk(state, others, worker, [&](const TraceRequest& other, std::uint32_t) { return !(has_it = &other == &request); });
  if (has_it || !request.take()) return;
  const std::int32_t slot = request.buffers[worker]->start(others);
  if (slot < 0) return;
  packet.flags |= kTraced;
  packet.trace = TraceHandle::of(request.id, static_cast<std::uint32_t>(slot));
}

}  // namespace

Worker::Worker(unsigned index, unsigned producers, const WorkerShared& shared, unsigned part)
    : index_(index),
      shared_(shared),
      buffers_(shared.pool, part),
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
  slots_ = interfaces_->slots.data();
  slot_count_ = interfaces_->slots.size();
  features_ = &shared_.features.read(*this);
  tx_ = &shared_.tx.read(*this);
  const TraceState& trace = shared_.trace.read(*this);
  trace_ = trace.requests.empty() ? nullptr : &trace;
  const CaptureState& capture = shared_.capture.read(*this);
  capture_ = capture.rings.empty() ? nullptr : &capture;
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
  sent_handoffs.add();
  if (worker < kWakeBits) {
    to_wake_ |= std::uint64_t{1} << worker;
  } else {
    peer->wake();
  }
  return true;
}

void Worker::wake_peers() noexcept {
  for (std::uint64_t left = std::exchange(to_wake_, 0); left; left &= left - 1) {
    peers_[static_cast<std::size_t>(std::countr_zero(left))]->wake();
  }
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
  std::array<Packet*, kVectorMax> run;  // packets for one node
  for (unsigned from = 0; from < rings_.size(); ++from) {
    HandOff item{};
    NodeIndex node;
    std::size_t taken = 0, n = 0;
    for (; taken < kVectorMax && rings_[from]->pop(item); ++taken) {
      if (item.packet->has(kTraced)) [[unlikely]]
        trace_resume(from, *item.packet);
      if (n > 0 && item.node != node) graph_.enqueue(*this, node, {run.data(), std::exchange(n, 0)});
      node = item.node;
      run[n++] = item.packet;
    }
    if (taken == 0) continue;
    graph_.enqueue(*this, node, {run.data(), n});
    any = true;
    taken_handoffs.add(taken);
  }
  return any;
}

bool Worker::has_hand_offs() const noexcept {
  return std::any_of(rings_.begin(), rings_.end(), [](const auto& ring) { return !ring->empty(); });
}

void Worker::trace_resume(unsigned from, Packet& packet) noexcept {
  const std::uint32_t there = packet.trace;
  packet.flags &= ~kTraced;  // the trace slot is another worker's
  if (!trace_ || !packet.has(kHandedOver)) return;
  std::uint32_t handle = TraceHandle::kNone;
  walk(*trace_, there, from, [&](const TraceRequest& request, std::uint32_t) {
    const std::int32_t slot = request.buffers[index_]->start(handle);
    if (slot >= 0) handle = TraceHandle::of(request.id, static_cast<std::uint32_t>(slot));
    return true;
  });
  if (handle == TraceHandle::kNone) return;
  packet.flags |= kTraced;
  packet.trace = handle;
}

void Worker::trace_start(NodeIndex node, std::span<Packet* const> packets, bool at_input) noexcept {
  for (const auto& request : trace_->requests) {
    const bool here = request->node == node || (at_input && !request->node.valid());
    // Filters see packets as they came in; a request for a later node remembers the match until then.
    const bool looks = request->at_input ? at_input && here : at_input || here;
    if (!looks || !request->wants_more()) continue;
    for (Packet* packet : packets) {
      if (at_input ? !is_wanted(*request, *this, *packet) : !packet->has(kTraceCandidate)) continue;
      if (here) {
        begin_trace(*trace_, *request, index_, *packet);
      } else {
        packet->flags |= kTraceCandidate;
      }
    }
  }
}

void Worker::trace_step(std::uint32_t handle, const TraceOrigin& origin, NodeIndex node, std::uint16_t code,
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
  walk(*trace_, handle, index_, [&](const TraceRequest& request, std::uint32_t slot) {
    request.buffers[index_]->add(slot, step);
    return true;
  });
}

}  // namespace sluice
