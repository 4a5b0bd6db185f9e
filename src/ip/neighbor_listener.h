// SPDX-License-Identifier: Apache-2.0
// What arp-input and ip6-nd-input share: they tell the control thread what they hear, within a limit.
#pragma once
#include "ip/neighbor_messages.h"
#include "ip/state.h"
#include "ip/token_bucket.h"
#include "sluice/worker.h"

namespace sluice {

struct NeighborListener {
  enum class Count : std::uint8_t { Replies, Heard, ReportsLimited };

  const IpState& ip;
  TokenBucket reports{5000, 512};

  explicit NeighborListener(const IpState& state) : ip(state) {}

 protected:
  template <class T>
  void report(Worker& worker, std::uint32_t kind, const T& message) noexcept {
    if (reports.take(worker.now())) {
      worker.report(ControlMessage::of(kind, message));
    } else {
      worker.count(Count::ReportsLimited);
    }
  }
  /// A message that needs no answer.
  static void heard(Packet& packet, Worker& worker) noexcept {
    worker.count(Count::Heard);
    worker.buffers().free(&packet);
  }
  /// The packet has become the answer, from its Ethernet header on; it goes back where it came from.
  static void replied(Packet& packet, Worker& worker) noexcept {
    packet.l2_offset = packet.offset();
    packet.flags = (packet.flags & ~std::uint32_t{kBroadcast}) | kLocal;
    packet.tx_interface = packet.rx_interface;
    worker.count(Count::Replies);
  }
};

}  // namespace sluice
