// SPDX-License-Identifier: Apache-2.0
// What was dropped lately: one packet of each interface, reason and second, kept by the worker that dropped it. Always
// on; a packet that is not kept costs a look at a small table. One worker writes, anybody reads: every sample is a
// handful of relaxed words under a sequence number (a seqlock), so a reader never waits and never makes a worker wait.
#pragma once
#include <sluice/net/flow_key.h>
#include <sluice/packet.h>
#include <sluice/types.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <vector>

namespace sluice {

struct DropSample {
  std::uint64_t when = 0;  ///< TSC
  NodeIndex node;
  std::uint32_t reason = 0;  ///< index of the node's Drop
  InterfaceIndex rx_interface, tx_interface;
  std::uint32_t length = 0;    ///< bytes, the whole chain
  std::uint32_t has_flow = 0;  ///< the packet's addresses could be read
  FlowKey flow;
};
static_assert(sizeof(DropSample) % sizeof(std::uint64_t) == 0 && std::is_trivially_copyable_v<DropSample>);

class SLUICE_API DropSamples {
 public:
  static constexpr std::size_t kSamples = 512;

  /// second: TSC ticks between two samples of one interface and reason.
  explicit DropSamples(std::uint64_t second);

  /// The worker's: called before the packet is freed. now: TSC of this vector.
  void note(NodeIndex node, std::uint16_t reason, const Packet& packet, std::uint64_t now) noexcept {
    const std::uint64_t key = std::uint64_t{node.value} << 48 | std::uint64_t{reason} << 32 | packet.rx_interface.value;
    Last& last = last_[(key * 0x9e3779b97f4a7c15ull) >> (64 - kLastBits)];
    // Two that share a place: the second waits for its turn, so that there are never more than one a second.
    if (now - last.when < second_) [[likely]]
      return;
    last.when = now;
    keep(node, reason, packet, now);
  }
  /// All that are kept, the oldest first. Any thread.
  std::vector<DropSample> read() const;

 private:
  static constexpr unsigned kLastBits = 11;
  static constexpr std::size_t kWords = sizeof(DropSample) / sizeof(std::uint64_t);
  struct Last {
    std::uint64_t when = 0;
  };
  struct Slot {
    std::atomic<std::uint64_t> sequence{0};  ///< odd while it is written
    std::array<std::atomic<std::uint64_t>, kWords> words{};
  };
  void keep(NodeIndex node, std::uint16_t reason, const Packet& packet, std::uint64_t now) noexcept;

  const std::uint64_t second_;
  std::uint64_t written_ = 0;
  std::vector<Last> last_;
  std::vector<Slot> slots_;
};

}  // namespace sluice
