// SPDX-License-Identifier: Apache-2.0
//
// A node is whatever satisfies the concept Node; there is no base class:
//
//   struct MyNode {
//     static constexpr NodeInfo kInfo{"my-node", "what it does, in a line"};
//     enum class Next : std::uint8_t { Ip4Lookup };            // edges, named after nodes
//     enum class Drop : std::uint8_t { Truncated };            // reasons
//     using Verdict = sluice::Verdict<Next, Drop>;
//     struct Trace { … void describe(auto&& field) const; };   // what a trace shows; may be empty
//     static constexpr std::string_view why(Drop);             // a sentence for each reason
//     Verdict operator()(Packet&, Worker&, Trace*) const noexcept;
//   };
//
// Forms, chosen by what the type offers:
//   per packet   Verdict operator()(Packet&, Worker&, Trace*) noexcept             nearly all nodes
//   with Out     Verdict operator()(Packet&, Worker&, Trace*, Out<K>&) noexcept    makes packets
//   staged       Key prepare(Packet&, Worker&); void step(Packet&, Key&, Worker&), steps() or kSteps times;
//                void settle(Packet&, Key&, Worker&), which may be left out;
//                Verdict finish(Packet&, Key&, Worker&, Trace*)                    lookups: hash, prefetch, compare
//   batch        void operator()(Batch<K>&, Worker&) noexcept                      the batch is the algorithm
//
// Reserved enumerators of Next: Continue (features: on along the arc), Device (the output node of tx_interface),
// Registered (the node in packet.arc_next). Events that are not drops: enum class Count, worker.count(Count::X).
// Optional: void begin(Worker&) noexcept, called once a vector before its first packet: read Published values there.
// A kernel that says Hold offers std::size_t held() const, void release(Worker&, Out<K>&) for packets whose time has
// come (called each tick while held() > 0, and when woken), and void flush(Worker&) to free them all.
//
// Trace* is null in the fast loop, which is compiled apart: `if (trace)` costs nothing there.
#pragma once
#include <sluice/graph.h>
#include <sluice/names.h>
#include <sluice/packet.h>
#include <sluice/verdict.h>
#include <sluice/worker.h>

#include <array>
#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

namespace sluice {

struct NodeInfo {
  std::string_view name, summary;
  /// Packets may begin here: the node relies on nothing that an earlier one has done, any bytes are good, and of the
  /// metadata only rx_interface is set. The packet generator enters the graph at such nodes only.
  bool entry = false;
};

template <class K>
concept Node = requires {
  { K::kInfo } -> std::convertible_to<NodeInfo>;
  typename K::Next;
  typename K::Drop;
  typename K::Trace;
  typename K::Verdict;
} && std::is_trivially_copyable_v<typename K::Trace> && sizeof(typename K::Trace) <= TraceStep::kPayload;

/// Packets that a kernel makes. The framework allocates, enqueues and counts.
template <class K>
class Out {
 public:
  Out(NodeRuntime& node, Worker& worker) : node_(node), worker_(worker) {}
  ~Out() { flush(); }
  Out(const Out&) = delete;
  Out& operator=(const Out&) = delete;

  /// A fresh packet, or null (counted in `show buffers`). It joins the trace of the packet it is made for.
  Packet* alloc(const Packet* cause = nullptr) noexcept {
    Packet* packet = worker_.buffers().alloc();
    if (packet && cause && cause->has(kTraced)) {
      packet->flags |= kTraced;
      packet->trace = cause->trace;
    }
    return packet;
  }
  void emit(Packet& packet, typename K::Next next) noexcept {
    if (count_ == kVectorMax) flush();
    packets_[count_] = &packet;
    codes_[count_++] = static_cast<std::uint16_t>(next);
  }
  /// Gives a packet back that will not be emitted after all.
  void discard(Packet& packet) noexcept { worker_.buffers().free(&packet); }
  /// For tests: looks at what was emitted instead of enqueueing it.
  template <class F>
  void take(F&& each) {
    for (std::size_t i = 0; i < count_; ++i) each(*packets_[i], codes_[i]);
    count_ = 0;
  }
  void flush() noexcept {
    if (count_ == 0) return;
    worker_.graph().dispatch(node_, worker_, std::span<Packet* const>(packets_.data(), count_), codes_.data());
    count_ = 0;
  }

 private:
  NodeRuntime& node_;
  Worker& worker_;
  std::size_t count_ = 0;
  std::array<Packet*, kVectorMax> packets_;
  std::array<std::uint16_t, kVectorMax> codes_;
};

/// What a batch kernel works on. set() must be called for each packet.
template <class K>
struct Batch {
  std::span<Packet* const> packets;
  std::uint16_t* codes;
  typename K::Trace* traces;  ///< null when nothing is traced
  void set(std::size_t i, typename K::Verdict v) { codes[i] = v.code(); }
  typename K::Trace* trace(std::size_t i) { return traces ? &traces[i] : nullptr; }
};

template <class K>
concept PerPacketPlain = Node<K> && requires(K k, Packet& p, Worker& w, typename K::Trace* t) {
  { k(p, w, t) } noexcept -> std::same_as<typename K::Verdict>;
};
template <class K>
concept PerPacketOut = Node<K> && requires(K k, Packet& p, Worker& w, typename K::Trace* t, Out<K>& out) {
  { k(p, w, t, out) } noexcept -> std::same_as<typename K::Verdict>;
};
template <class K>
concept PerPacket = PerPacketPlain<K> || PerPacketOut<K>;
template <class K>
concept Staged = Node<K> && requires(K k, Packet& p, Worker& w, typename K::Trace* t, typename K::Key& key) {
  { k.prepare(p, w) } noexcept -> std::same_as<typename K::Key>;
  { k.finish(p, key, w, t) } noexcept -> std::same_as<typename K::Verdict>;
};
template <class K>
concept Settles = Staged<K> && requires(K k, Packet& p, Worker& w, typename K::Key& key) {
  { k.settle(p, key, w) } noexcept;
};
/// How often a staged kernel's step() is called for each packet of the next vector.
template <Staged K>
constexpr std::size_t steps_of(const K& kernel) noexcept {
  if constexpr (requires { kernel.steps(); }) {
    return kernel.steps();
  } else if constexpr (requires { K::kSteps; }) {
    return K::kSteps;
  } else {
    return 0;
  }
}
template <class K>
concept PerBatch = Node<K> && requires(K k, Batch<K>& b, Worker& w) {
  { k(b, w) } noexcept -> std::same_as<void>;
};
template <class K>
concept Holds = requires(K k, const K c, Worker& w, Out<K>& out) {
  { c.held() } noexcept -> std::same_as<std::size_t>;
  { k.release(w, out) } noexcept;
  { k.flush(w) } noexcept;
};
template <class K>
concept Kernel = PerPacket<K> || Staged<K> || PerBatch<K>;

template <class K>
consteval std::size_t prefetch_distance() {
  if constexpr (requires { K::kPrefetch; }) {
    return K::kPrefetch;
  } else {
    return 8;
  }
}

inline void prefetch(const Packet* packet) noexcept {
  __builtin_prefetch(packet);
  __builtin_prefetch(packet->storage() + kHeadroom);
}

namespace detail {

template <class K>
[[gnu::always_inline]] inline std::uint16_t call(K& kernel, Packet& packet, Worker& worker, typename K::Trace* trace,
                                                 Out<K>* out) noexcept {
  if constexpr (PerPacketOut<K>) {
    return kernel(packet, worker, trace, *out).code();
  } else {
    return kernel(packet, worker, trace).code();
  }
}

template <class K>
[[gnu::flatten]] void run_packets(K& kernel, std::span<Packet* const> in, std::uint16_t* codes, Worker& worker,
                                  Out<K>* out) noexcept {
  constexpr std::size_t kAhead = prefetch_distance<K>();
  const std::size_t n = in.size();
  const std::size_t ahead = n > kAhead ? n - kAhead : 0;
  std::size_t i = 0;
  for (; i < ahead; ++i) {
    prefetch(in[i + kAhead]);
    codes[i] = call(kernel, *in[i], worker, static_cast<typename K::Trace*>(nullptr), out);
  }
  for (; i < n; ++i) codes[i] = call(kernel, *in[i], worker, static_cast<typename K::Trace*>(nullptr), out);
}

/// A vector's keys, not initialised: a vector of four packets would pay for 256.
template <class K>
class Keys {
 public:
  using Key = typename K::Key;
  static_assert(std::is_trivially_copyable_v<Key> && std::is_trivially_destructible_v<Key>);
  Keys() noexcept {}  // NOLINT(modernize-use-equals-default)
  Key& operator[](std::size_t i) noexcept { return reinterpret_cast<Key*>(bytes_.data())[i]; }

 private:
  alignas(Key) std::array<std::byte, sizeof(Key) * kVectorMax> bytes_;
};

template <class K>
[[gnu::flatten]] void run_stages(K& kernel, std::span<Packet* const> in, std::uint16_t* codes, Worker& worker,
                                 NodeIndex node, bool traced) noexcept {
  const std::size_t n = in.size();
  Keys<K> keys;
  for (std::size_t i = 0; i < n; ++i) {
    if (i + 8 < n) prefetch(in[i + 8]);
    keys[i] = kernel.prepare(*in[i], worker);
  }
  if constexpr (requires { kernel.step(*in[0], keys[0], worker); }) {
    for (std::size_t s = steps_of(kernel); s > 0; --s) {
      for (std::size_t i = 0; i < n; ++i) kernel.step(*in[i], keys[i], worker);
    }
  }
  if constexpr (Settles<K>) {
    for (std::size_t i = 0; i < n; ++i) kernel.settle(*in[i], keys[i], worker);
  }
  if (!traced) {
    for (std::size_t i = 0; i < n; ++i) {
      codes[i] = kernel.finish(*in[i], keys[i], worker, static_cast<typename K::Trace*>(nullptr)).code();
    }
    return;
  }
  for (std::size_t i = 0; i < n; ++i) {
    typename K::Trace trace{};
    const bool wanted = in[i]->has(kTraced);
    codes[i] = kernel.finish(*in[i], keys[i], worker, &trace).code();
    if (wanted) worker.trace_step(*in[i], node, codes[i], &trace, sizeof trace);
  }
}

template <class K>
void run_traced(K& kernel, std::span<Packet* const> in, std::uint16_t* codes, Worker& worker, NodeIndex node,
                Out<K>* out) noexcept {
  for (std::size_t i = 0; i < in.size(); ++i) {
    typename K::Trace trace{};
    // A kernel that holds a packet may have freed it by the time it returns.
    const bool wanted = in[i]->has(kTraced);
    codes[i] = call(kernel, *in[i], worker, &trace, out);
    if (wanted) worker.trace_step(*in[i], node, codes[i], &trace, sizeof trace);
  }
}

template <class K>
void run_batch(K& kernel, std::span<Packet* const> in, std::uint16_t* codes, Worker& worker, NodeIndex node,
               bool traced) noexcept {
  if (!traced) {
    Batch<K> batch{in, codes, nullptr};
    kernel(batch, worker);
    return;
  }
  std::array<typename K::Trace, kVectorMax> traces{};
  std::array<std::uint32_t, kVectorMax> slots{};
  for (std::size_t i = 0; i < in.size(); ++i) slots[i] = in[i]->has(kTraced) ? in[i]->trace + 1 : 0;
  // A transmit queue owns its packets when the kernel returns, so what a step needs of them is copied before.
  std::array<TraceOrigin, kVectorMax> origins;
  for (std::size_t i = 0; i < in.size(); ++i) {
    origins[i] = {in[i]->rx_interface, in[i]->tx_interface, in[i]->chain_length};
  }
  Batch<K> batch{in, codes, traces.data()};
  kernel(batch, worker);
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (slots[i]) worker.trace_step(slots[i] - 1, origins[i], node, codes[i], &traces[i], sizeof traces[i]);
  }
}

}  // namespace detail

/// Runs a kernel over a vector. The loop is here, once; kernels have none.
template <Kernel K>
void run_vector(K& kernel, std::span<Packet* const> in, std::uint16_t* codes, Worker& worker, NodeIndex node,
                bool traced, Out<K>* out) noexcept {
  if constexpr (requires { kernel.begin(worker); }) kernel.begin(worker);
  if constexpr (PerPacket<K>) {
    if (traced) [[unlikely]] {
      detail::run_traced(kernel, in, codes, worker, node, out);
    } else {
      detail::run_packets(kernel, in, codes, worker, out);
    }
  } else if constexpr (Staged<K>) {
    detail::run_stages(kernel, in, codes, worker, node, traced);
  } else {
    detail::run_batch(kernel, in, codes, worker, node, traced);
  }
}

/// What a chain calls: the kernel alone, over packets that are not traced.
template <Kernel K>
void judge_node(NodeRuntime& node, Worker& worker, std::span<Packet* const> packets, std::uint16_t* codes) noexcept {
  run_vector<K>(*static_cast<K*>(node.kernel), packets, codes, worker, node.index, false, nullptr);
}

/// What the graph calls: kernel over the frame, then partition.
template <Kernel K>
void run_node(NodeRuntime& node, Worker& worker, Frame*& frame) noexcept {
  K& kernel = *static_cast<K*>(node.kernel);
  std::array<std::uint16_t, kVectorMax> codes;
  const std::span<Packet* const> in(frame->packets.data(), frame->count);
  if constexpr (PerPacketOut<K>) {
    Out<K> out(node, worker);
    run_vector<K>(kernel, in, codes.data(), worker, node.index, frame->traced, &out);
    worker.graph().dispatch(node, worker, frame, codes.data());
  } else {
    run_vector<K>(kernel, in, codes.data(), worker, node.index, frame->traced, nullptr);
    worker.graph().dispatch(node, worker, frame, codes.data());
  }
}

}  // namespace sluice
