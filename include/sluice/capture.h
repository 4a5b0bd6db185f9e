// SPDX-License-Identifier: Apache-2.0
// Captured packets (pcap start). A worker copies what is asked for into a ring of its own, and the control thread takes
// it from there into a file. Neither waits for the other: what finds the ring full is counted as lost.
#pragma once
#include <sluice/counter.h>
#include <sluice/device.h>
#include <sluice/packet.h>
#include <sluice/trace.h>
#include <sluice/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace sluice {

enum class CaptureEvent : std::uint8_t { Received, Sent, Dropped };

/// What stands before a captured packet's bytes.
struct CaptureRecord {
  std::uint64_t when = 0;    ///< TSC
  InterfaceIndex interface;  ///< by which it came or was to go: the one whose headers it has; none: the node made it
  NodeIndex node;
  std::uint32_t length = 0;  ///< bytes, the whole chain
  std::uint32_t kept = 0;    ///< how many of them follow
  std::uint16_t reason = 0;  ///< index of the node's Drop
  CaptureEvent event = CaptureEvent::Received;
  LinkLayer link = LinkLayer::Ethernet;
  bool outbound = false;  ///< sent by the interface, or on its way there
};

/// Records of one worker in fixed memory. The worker adds and commits, the control thread takes.
class SLUICE_API CaptureRing {
 public:
  static constexpr std::size_t kBytes = 8u << 20;
  struct Entry {
    CaptureRecord record;
    std::span<const std::byte> bytes;  ///< good until pop()
  };
  /// How far the worker is.
  struct Mark {
    std::uint64_t next, lost;
  };

  /// bytes is a power of two.
  explicit CaptureRing(std::size_t bytes = kBytes);

  /// Worker: adds a record with the first record.kept bytes of a packet, of which the head segment's begin at begin.
  /// Counted as lost when there is no room.
  void add(const CaptureRecord& record, const std::byte* begin, const Packet& packet) noexcept;
  Mark mark() const noexcept { return {next_, lost_}; }
  /// Worker: takes back what was added and not committed since the mark.
  void rewind(const Mark& mark) noexcept {
    next_ = mark.next;
    lost_ = mark.lost;
  }
  /// Worker: shows what was added.
  void commit() noexcept {
    tail_.store(next_, std::memory_order_release);
    lost_shown_.set(lost_);
  }

  /// Control thread: the oldest, if there is one.
  std::optional<Entry> front() noexcept;
  void pop() noexcept;
  /// Any thread.
  std::uint64_t lost() const noexcept { return lost_shown_.get(); }

 private:
  bool make_room(std::size_t bytes) noexcept;

  const std::size_t mask_;
  const std::unique_ptr<std::byte[]> memory_;
  // Positions count on and on; where they are in memory is under the mask.
  alignas(kCacheLine) std::atomic<std::uint64_t> head_{0};
  alignas(kCacheLine) std::atomic<std::uint64_t> tail_{0};
  alignas(kCacheLine) std::uint64_t next_ = 0;
  std::uint64_t head_seen_ = 0, lost_ = 0;
  Counter lost_shown_;
};

/// What is captured; published to the workers.
struct CaptureState {
  bool received = false, sent = false, dropped = false;
  bool every_interface = true;
  std::vector<InterfaceIndex> interfaces;  ///< by slot, when it is not every one
  std::uint32_t snap = 0;                  ///< bytes that are kept of a packet, at most
  PacketFilter ethernet, ip;
  std::vector<std::shared_ptr<CaptureRing>> rings;  ///< one a worker; empty: nothing is captured

  bool wants(InterfaceIndex index) const noexcept {
    return every_interface || (index.slot() < interfaces.size() && interfaces[index.slot()] == index);
  }
  /// Control thread.
  void choose(InterfaceIndex index) {
    if (interfaces.size() <= index.slot()) interfaces.resize(index.slot() + 1);
    interfaces[index.slot()] = index;
  }
};

}  // namespace sluice
