// SPDX-License-Identifier: Apache-2.0
// A worker as kernels see it: time, buffers, interfaces, event counters, messages to the control thread.
#pragma once
#include <sluice/capture.h>
#include <sluice/clock.h>
#include <sluice/drop_samples.h>
#include <sluice/graph.h>
#include <sluice/interface.h>
#include <sluice/pool.h>
#include <sluice/published.h>
#include <sluice/spsc_ring.h>
#include <sluice/trace.h>
#include <sluice/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace sluice {

/// A small message from a worker to the control thread: a neighbour to resolve, an address seen. kind comes from
/// Registry::control_message().
struct ControlMessage {
  static constexpr std::size_t kPayload = 56;
  std::uint32_t kind = 0;
  std::uint32_t worker = 0;
  std::array<std::byte, kPayload> payload{};

  template <class T>
  static ControlMessage of(std::uint32_t kind, const T& value) noexcept {
    static_assert(sizeof(T) <= kPayload && std::is_trivially_copyable_v<T>);
    ControlMessage message;
    message.kind = kind;
    std::memcpy(message.payload.data(), &value, sizeof(T));
    return message;
  }
  template <class T>
  T as() const noexcept {
    static_assert(sizeof(T) <= kPayload && std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, payload.data(), sizeof(T));
    return value;
  }
};

/// Where a worker finds an interface's transmit queue.
struct TxBinding {
  TxQueue* queue = nullptr;
  std::uint32_t worker = 0;  ///< the only one that may use it
};
/// by_worker[worker][interface slot].
struct TxBindings {
  std::vector<std::vector<TxBinding>> by_worker;
};

/// What all workers read. Owned by the dataplane (core/dataplane.h).
struct WorkerShared {
  BufferPool& pool;
  const Graph& graph;
  Published<InterfaceTable>& interfaces;
  Published<FeatureChains>& features;
  Published<TxBindings>& tx;
  Published<TraceState>& trace;
  Published<CaptureState>& capture;
};

/// A packet on its way to a node of another worker.
struct HandOff {
  Packet* packet;
  NodeIndex node;
};

class SLUICE_API Worker {
 public:
  static constexpr std::size_t kRing = 1024;
  static constexpr std::size_t kMaxInterfaces = 4096;

  /// producers: how many threads may hand packets to this worker (all workers and the control thread). part: of the
  /// pool, where its buffers come from.
  Worker(unsigned index, unsigned producers, const WorkerShared& shared, unsigned part = 0);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  unsigned index() const { return index_; }
  /// TSC at the start of this vector.
  std::uint64_t now() const { return now_; }
  void set_now(std::uint64_t ticks) { now_ = ticks; }
  BufferCache& buffers() { return buffers_; }
  /// Of the pool: where its buffers come from.
  unsigned buffers_part() const { return buffers_.part(); }

  /// The interface, or null when it is gone. Good for this pass.
  const InterfaceState* interface(InterfaceIndex index) const noexcept {
    return InterfaceTable::find(slots_, slot_count_, index);
  }
  const InterfaceTable& interfaces() const noexcept { return *interfaces_; }
  const FeatureChains& features() const noexcept { return *features_; }
  const TxBindings& tx() const noexcept { return *tx_; }
  InterfaceCounters& counters(InterfaceIndex index) noexcept { return interface_counters_[index.slot()]; }
  const InterfaceCounters& counters(std::uint32_t slot) const noexcept { return interface_counters_[slot]; }

  /// Counts an event of the kernel that runs (an enumerator of its Count).
  template <class E>
  void count(E event, std::uint64_t n = 1) noexcept {
    current_.load(std::memory_order_relaxed)->event_counts[static_cast<std::size_t>(event)].add(n);
  }
  /// Tells the control thread. False when its ring is full (counted in lost_messages).
  bool report(ControlMessage message) noexcept;
  /// Gives a packet to a node of another worker, or to this one with the next pass; that one is woken at the end of
  /// this pass. False when its ring is full (counted in lost_handoffs); the packet then still belongs to the caller.
  bool hand_off(unsigned worker, NodeIndex node, Packet* packet) noexcept;
  /// How many workers there are: hand_off() takes 0 to peers() - 1.
  unsigned peers() const { return static_cast<unsigned>(peers_.size()); }

  /// What was dropped lately. Reading is for any thread.
  DropSamples& drops() { return drops_; }
  const DropSamples& drops() const { return drops_; }

  GraphRuntime& graph() { return graph_; }
  const GraphRuntime& graph() const { return graph_; }

  /// A system call of a device's queue, or of several: `show threads` tells its cycles from the worker's own.
  template <class F>
  auto system_call(F&& call) noexcept {
    const std::uint64_t before = tsc();
    auto result = call();
    system_ticks_ += tsc() - before;
    return result;
  }

  // What the framework uses.

  /// Ticks spent in system_call() since this was last asked.
  std::uint64_t take_system_ticks() noexcept { return std::exchange(system_ticks_, 0); }
  /// Loads the published tables for one pass.
  void begin_pass() noexcept;
  /// Moves packets from the rings into the graph; false when there were none.
  bool take_hand_offs() noexcept;
  /// Wakes those who were handed packets since the last call. At the end of each pass.
  void wake_peers() noexcept;
  bool has_hand_offs() const noexcept;
  void set_current(NodeRuntime* node) noexcept { current_.store(node, std::memory_order_relaxed); }
  /// The node that runs, or that ran last; null before the first. Any thread.
  const NodeRuntime* current() const noexcept { return current_.load(std::memory_order_relaxed); }
  void set_peers(std::vector<Worker*> peers) { peers_ = std::move(peers); }
  SpscRing<HandOff>& ring_from(unsigned producer) { return *rings_[producer]; }
  SpscRing<ControlMessage>& messages() { return messages_; }
  /// Starts a trace where a request names this node.
  void trace_start(NodeIndex node, std::span<Packet* const> packets, bool at_input) noexcept;
  const TraceState* tracing() const noexcept { return trace_; }
  /// A packet that was handed over takes its trace along: a slot here of each request that traces it there.
  void trace_resume(unsigned from, Packet& packet) noexcept;
  void trace_step(std::uint32_t slot, const TraceOrigin& origin, NodeIndex node, std::uint16_t code,
                  const void* payload, std::size_t size) noexcept;
  void trace_step(const Packet& packet, NodeIndex node, std::uint16_t code, const void* payload,
                  std::size_t size) noexcept {
    trace_step(packet.trace, {packet.rx_interface, packet.tx_interface, packet.chain_length}, node, code, payload,
               size);
  }
  /// Null while nothing is captured. Asked once for each vector or dropped packet, before the calls below.
  const CaptureState* capturing() const noexcept { return capture_; }
  void capture_received(NodeIndex node, std::span<Packet* const> packets) noexcept;
  /// Before the packet is freed.
  void capture_dropped(NodeIndex node, std::uint16_t reason, const Packet& packet) noexcept;
  /// TxQueue::transmit() of packets for one interface; those that the queue takes are captured.
  std::size_t transmit_captured(TxQueue& queue, std::span<Packet* const> packets) noexcept;
  /// Wakes the thread when it sleeps. Any thread.
  void wake() noexcept;
  int wake_fd() const { return wake_fd_; }
  int control_fd = -1;  ///< written when a message waits for the control thread

  std::atomic<bool> sleeping{false};
  std::atomic<bool> release_requested{false};  ///< the control thread wants holders to look again
  Counter lost_messages, lost_handoffs, sent_handoffs, taken_handoffs;
  Counter loops, sleeps, busy_cycles, idle_cycles;
  Counter system_cycles;               ///< of the busy ones
  Counter wakeups;                     ///< sleeps that an event ended, not the time
  Counter received_vectors, received;  ///< receive() calls that gave packets, and how many

 private:
  const unsigned index_;
  const WorkerShared shared_;
  std::uint64_t now_ = 0;
  std::uint64_t system_ticks_ = 0;
  BufferCache buffers_;
  const InterfaceTable* interfaces_ = nullptr;
  const InterfaceState* slots_ = nullptr;  // interfaces_'s, a load closer
  std::size_t slot_count_ = 0;
  const FeatureChains* features_ = nullptr;
  const TxBindings* tx_ = nullptr;
  const TraceState* trace_ = nullptr;
  const CaptureState* capture_ = nullptr;
  std::uint64_t to_wake_ = 0;  // peers, a bit each
  std::atomic<NodeRuntime*> current_{nullptr};
  std::vector<InterfaceCounters> interface_counters_;
  std::vector<Worker*> peers_;
  std::vector<std::unique_ptr<SpscRing<HandOff>>> rings_;
  SpscRing<ControlMessage> messages_{1024};
  int wake_fd_ = -1;
  DropSamples drops_;
  GraphRuntime graph_;
};

}  // namespace sluice
