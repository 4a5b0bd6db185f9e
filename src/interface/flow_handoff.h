// SPDX-License-Identifier: Apache-2.0
// flow-handoff: receive side scaling in software. A device that does not spread flows over its queues by itself, or has
// fewer queues than there are workers, gets it as a feature: the packets of a flow, in both directions, go to one
// worker, in order. What is this worker's goes on; the rest re-enters at flow-arrival on the worker whose it is.
#pragma once
#include <cstdint>
#include <span>

#include "sluice/net/ethernet.h"
#include "sluice/net/flow_key.h"
#include "sluice/node.h"

namespace sluice {

/// The same for both directions of a flow. bytes begin with an Ethernet header: behind up to two VLAN tags IP counts by
/// its 5-tuple (fragments by addresses and protocol, so that all of a packet are one flow), all else by both MAC
/// addresses. What is too short for that is one flow.
inline std::uint32_t frame_flow_hash(std::span<const std::uint8_t> bytes) noexcept {
  constexpr std::size_t kMacs = 2 * sizeof(MacAddress), kTag = sizeof(VlanTag);
  constexpr int kTagsMax = 2;
  if (bytes.size() < sizeof(EthernetHeader)) return 0;
  std::size_t at = kMacs;
  const auto type_at = [&](std::size_t i) { return static_cast<std::uint16_t>(bytes[i] << 8 | bytes[i + 1]); };
  std::uint16_t type = type_at(at);
  for (int tags = 0; tags < kTagsMax && (type == kEthertypeVlan || type == kEthertypeQinQ); ++tags) {
    at += kTag;
    if (at + sizeof type > bytes.size()) break;
    type = type_at(at);
  }
  FlowKey key;
  const bool ip = type == kEthertypeIp4 || type == kEthertypeIp6;
  if (ip && extract_flow(bytes.subspan(at + sizeof type), key)) return symmetric_flow_hash(key);
  key = {};
  std::memcpy(key.destination.data(), bytes.data(), sizeof(MacAddress));
  std::memcpy(key.source.data(), bytes.data() + sizeof(MacAddress), sizeof(MacAddress));
  return symmetric_flow_hash(key);
}

/// A batch kernel, because packets that were handed over are another worker's before the kernel returns.
struct FlowHandoff {
  static constexpr NodeInfo kInfo{"flow-handoff", "gives the packets of a flow, both directions, to one worker"};
  static constexpr FeatureInfo kFeature{.arc = "device-input", .before = "ethernet-input", .first = true};
  enum class Next : std::uint8_t { Continue, FlowArrival };  // FlowArrival on another worker: its ring leads there
  enum class Drop : std::uint8_t { HandOffFull };
  enum class Count : std::uint8_t { Kept, HandedOver, Arrived };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    std::uint32_t flow_hash, worker;
    bool arrived;
    void describe(auto&& field) const {
      if (arrived) return field("arrived", arrived);
      field("flow-hash", flow_hash);
      field("worker", worker);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::HandOffFull:
        return "the ring to the worker of the packet's flow is full: that worker has too much to do";
    }
    return "";
  }

  void operator()(Batch<FlowHandoff>& batch, Worker& worker) const noexcept {
    for (std::size_t i = 0; i < batch.packets.size(); ++i) {
      if (i + 4 < batch.packets.size()) prefetch(batch.packets[i + 4]);
      batch.set(i, place(*batch.packets[i], worker, batch.trace(i)));
    }
  }

 private:
  static Verdict place(Packet& packet, Worker& worker, Trace* trace) noexcept {
    if (packet.has(kHandedOver)) {
      packet.flags &= ~kHandedOver;
      worker.count(Count::Arrived);
      if (trace) *trace = {0, worker.index(), true};
      return Next::Continue;
    }
    const std::uint64_t workers = worker.peers();
    const std::uint32_t hash = frame_flow_hash({reinterpret_cast<const std::uint8_t*>(packet.data), packet.length});
    const auto owner = workers ? static_cast<std::uint32_t>(hash * workers >> 32) : worker.index();
    if (trace) *trace = {hash, owner, false};
    if (owner == worker.index()) {
      worker.count(Count::Kept);
      return Next::Continue;
    }
    const NodeIndex arrival = worker.current()->edges[static_cast<std::size_t>(Next::FlowArrival)].node;
    packet.flags |= kHandedOver;
    if (worker.hand_off(owner, arrival, &packet)) {
      worker.count(Count::HandedOver);
      return Hold;
    }
    packet.flags &= ~kHandedOver;
    return Drop::HandOffFull;
  }
};

}  // namespace sluice
