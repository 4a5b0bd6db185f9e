// SPDX-License-Identifier: Apache-2.0
// Tracing: kernels fill a small struct, the framework stores it with node, time and verdict, the control thread prints
// it.
#pragma once
#include <sluice/packet.h>
#include <sluice/types.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// Receives the fields of a Trace. Kernels call it through describe(); text and JSON are made behind it.
class SLUICE_API FieldSink {
 public:
  virtual ~FieldSink() = default;
  virtual void number(std::string_view name, std::uint64_t value) = 0;
  virtual void text(std::string_view name, std::string_view value) = 0;
  virtual void interface(std::string_view name, InterfaceIndex value) = 0;

  void operator()(std::string_view name, bool value) { text(name, value ? "yes" : "no"); }
  void operator()(std::string_view name, std::unsigned_integral auto value) { number(name, value); }
  void operator()(std::string_view name, std::string_view value) { text(name, value); }
  void operator()(std::string_view name, const char* value) { text(name, value); }
  void operator()(std::string_view name, InterfaceIndex value) { interface(name, value); }
  /// Anything with to_string().
  template <class T>
    requires requires(const T& v) {
      { v.to_string() } -> std::convertible_to<std::string>;
    }
  void operator()(std::string_view name, const T& value) {
    text(name, value.to_string());
  }
};

/// What a trace step keeps of a packet's metadata.
struct TraceOrigin {
  InterfaceIndex rx_interface, tx_interface;
  std::uint32_t length;
};

/// Where a packet was, and what was decided there.
struct TraceStep {
  static constexpr std::size_t kPayload = 96;
  std::uint64_t tsc;
  NodeIndex node;
  InterfaceIndex rx_interface, tx_interface;
  std::uint16_t code;  ///< verdict
  std::uint16_t size;  ///< of payload
  std::uint32_t length;
  std::array<std::byte, kPayload> payload;
};

/// Packet::trace of a traced packet: a slot in its worker's buffer of a request, from where other requests of the same
/// packet follow. Stale when the request has gone since.
struct TraceHandle {
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr std::uint16_t kNoRequest = 0xffff;
  static constexpr std::uint32_t of(std::uint16_t request, std::uint32_t slot) {
    return std::uint32_t{request} << 16 | slot;
  }
  static constexpr std::uint16_t request(std::uint32_t handle) { return static_cast<std::uint16_t>(handle >> 16); }
  static constexpr std::uint32_t slot(std::uint32_t handle) { return handle & 0xffff; }
};

/// The packets of one request that one worker traces. The worker appends; the control thread reads what is complete, at
/// any time.
class SLUICE_API TraceBuffer {
 public:
  static constexpr std::size_t kMaxSteps = 24;
  static constexpr std::size_t kMaxPackets = 1u << 16;  ///< a handle has no more
  struct Slot {
    std::atomic<std::uint32_t> steps{0};
    std::atomic<bool> cut{false};             ///< more steps than kMaxSteps
    std::uint32_t also = TraceHandle::kNone;  ///< the worker's: the packet's handle of another request
    std::array<TraceStep, kMaxSteps> step;
  };

  explicit TraceBuffer(std::size_t packets) : size_(std::min(packets, kMaxPackets)), slots_(new Slot[size_]) {}

  /// Worker: a slot for a packet that has the handle `also` so far, or -1 when all are taken.
  std::int32_t start(std::uint32_t also) noexcept {
    const std::uint32_t n = used_.load(std::memory_order_relaxed);
    if (n == size_) return -1;
    slots_[n].also = also;
    used_.store(n + 1, std::memory_order_release);
    return static_cast<std::int32_t>(n);
  }
  /// Worker: appends a step.
  void add(std::uint32_t slot, const TraceStep& step) noexcept;
  /// Worker: the packet's handle of another request.
  std::uint32_t also(std::uint32_t slot) const noexcept {
    return slot < size_ ? slots_[slot].also : TraceHandle::kNone;
  }
  /// Control thread: how many packets there are so far, and one of them.
  std::size_t packets() const { return used_.load(std::memory_order_acquire); }
  const Slot& slot(std::size_t i) const { return slots_[i]; }

 private:
  std::size_t size_;
  std::unique_ptr<Slot[]> slots_;
  std::atomic<std::uint32_t> used_{0};
};

/// A compiled pcap filter for one link type. Empty code matches everything.
struct PacketFilter {
  struct Instruction {  // the layout of a classic BPF instruction
    std::uint16_t code;
    std::uint8_t jt, jf;
    std::uint32_t k;
  };
  std::vector<Instruction> code;
  /// Data path: runs over the head segment. missing: bytes of a link-layer header that the packet has not, but that
  /// count where the expression asks for its length, so that it matches the same packets on every link.
  bool matches(const Packet& packet, std::uint32_t missing = 0) const noexcept {
    return matches(std::span<const std::byte>(packet.data, packet.length), packet.chain_length + missing);
  }
  /// Of a packet of so many bytes, those that lie here.
  SLUICE_API bool matches(std::span<const std::byte> head, std::uint32_t length) const noexcept;
};

/// One `trace add` or live trace: published to the workers, changed only by atomics.
struct TraceRequest {
  std::uint16_t id = 0;      ///< in the handles of its packets; one request of a state each, never kNoRequest
  NodeIndex node;            ///< from which node on; not valid: from where they come in
  bool at_input = false;     ///< node is an input node, or none
  InterfaceIndex interface;  ///< what comes in there is traced whatever the filters say
  PacketFilter ethernet, ip;
  std::vector<std::unique_ptr<TraceBuffer>> buffers;  ///< by worker
  mutable std::atomic<std::int64_t> remaining{0};

  bool wants_more() const noexcept { return remaining.load(std::memory_order_relaxed) > 0; }
  /// Data path: takes one of what is left.
  bool take() const noexcept { return wants_more() && remaining.fetch_sub(1, std::memory_order_acq_rel) > 0; }
};

/// All requests whose packets may still be on their way. Empty while nothing is traced.
struct TraceState {
  std::vector<std::shared_ptr<const TraceRequest>> requests;

  /// The request of a handle, or null.
  const TraceRequest* find(std::uint32_t handle) const noexcept {
    for (const auto& request : requests) {
      if (request->id == TraceHandle::request(handle)) return request.get();
    }
    return nullptr;
  }
};

}  // namespace sluice
