// SPDX-License-Identifier: Apache-2.0
// Tracing: kernels fill a small struct, the framework stores it with node, time and verdict, the control thread prints
// it.
#pragma once
#include <sluice/packet.h>
#include <sluice/types.h>

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <memory>
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

/// The traced packets of one worker. The worker appends; the control thread reads what is complete, at any time.
class SLUICE_API TraceBuffer {
 public:
  static constexpr std::size_t kMaxSteps = 24;
  struct Slot {
    std::atomic<std::uint32_t> steps{0};
    std::atomic<bool> cut{false};  ///< more steps than kMaxSteps
    std::array<TraceStep, kMaxSteps> step;
  };

  /// epoch tells the handles of this buffer from those of the one before it.
  explicit TraceBuffer(std::size_t packets, std::uint8_t epoch = 0)
      : slots_(new Slot[packets]), size_(packets), epoch_(epoch) {}

  /// Worker: a handle for a new packet, or -1 when all slots are taken.
  std::int64_t start() noexcept {
    const std::uint32_t n = used_.load(std::memory_order_relaxed);
    if (n == size_) return -1;
    used_.store(n + 1, std::memory_order_release);
    return n | std::uint32_t{epoch_} << 24;
  }
  /// Worker. A packet that was held while the buffer was replaced has a handle of the old one; its trace ends there.
  void add(std::uint32_t handle, const TraceStep& step) noexcept {
    const std::uint32_t slot = handle & 0xffffff;
    if (slot >= size_ || handle >> 24 != epoch_) return;
    const std::uint32_t n = slots_[slot].steps.load(std::memory_order_relaxed);
    if (n == kMaxSteps) {
      slots_[slot].cut.store(true, std::memory_order_relaxed);
      return;
    }
    slots_[slot].step[n] = step;
    slots_[slot].steps.store(n + 1, std::memory_order_release);
  }
  /// Control thread: how many packets there are so far, and one of them.
  std::size_t packets() const { return used_.load(std::memory_order_acquire); }
  const Slot& slot(std::size_t i) const { return slots_[i]; }

 private:
  std::unique_ptr<Slot[]> slots_;
  std::size_t size_;
  std::uint8_t epoch_;
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
  SLUICE_API bool matches(const Packet& packet, std::uint32_t missing = 0) const noexcept;
};

/// One `trace add`: published to the workers, changed only by atomics.
struct TraceRequest {
  NodeIndex node;
  bool at_input = false;  ///< node is an input node
  PacketFilter ethernet, ip;
  mutable std::atomic<std::int64_t> remaining{0};

  /// Data path: takes one of what is left.
  bool take() const noexcept {
    if (remaining.load(std::memory_order_relaxed) <= 0) return false;
    return remaining.fetch_sub(1, std::memory_order_relaxed) > 0;
  }
};

/// All requests, and a buffer for each worker. Null while nothing is traced.
struct TraceState {
  std::vector<std::shared_ptr<const TraceRequest>> requests;
  std::vector<std::shared_ptr<TraceBuffer>> buffers;
};

}  // namespace sluice
