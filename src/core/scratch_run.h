// SPDX-License-Identifier: Apache-2.0
// One packet's way through the graph without any consequence. It takes a worker of its own, made for this packet over
// the tables that are published now: kernels, counters, drop samples, ICMP's rate limits, held packets and messages to
// the control thread are that worker's and go with it; what it transmits is looked at and freed. A kernel that does as
// it may, change its packet, its own members and the worker, needs nothing for this.
//
// Control thread only: nobody else publishes, so the tables stay while the packet runs.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sluice/worker.h"

namespace sluice {

class SLUICE_API ScratchRun {
 public:
  /// Of what is transmitted so many packets are kept, and so many bytes of each: one may become 256 fragments.
  static constexpr std::size_t kKeptPackets = 64, kKeptBytes = 256;

  struct Sent {
    InterfaceIndex interface;
    std::uint32_t length = 0;         ///< in all
    std::vector<std::uint8_t> bytes;  ///< from the link-layer header on
    bool made_here = false;           ///< by this node: an answer, not the packet itself (kLocal)
  };

  /// rcu and live are the running node's and stay as they are.
  ScratchRun(Rcu& rcu, const WorkerShared& live);
  ~ScratchRun();
  ScratchRun(const ScratchRun&) = delete;
  ScratchRun& operator=(const ScratchRun&) = delete;

  /// A packet for run(); null: the pool is empty.
  Packet* make(std::span<const std::uint8_t> bytes);
  /// Runs it, once, as if it had come in by interface and been given to node.
  void run(InterfaceIndex interface, NodeIndex node, Packet* packet);

  /// Every step of the packet and of what was made because of it, in their order; the first kMaxSteps.
  std::span<const TraceStep> steps() const;
  /// There were more.
  bool cut() const;
  const std::vector<Sent>& sent() const;
  /// How many packets were sent, kept or not.
  std::size_t sent_packets() const;
  /// The nodes that keep packets waiting.
  std::vector<NodeIndex> holders() const;
  /// With the counters that nobody else sees.
  const Worker& worker() const { return *worker_; }

 private:
  class Discard;

  std::unique_ptr<Discard> discard_;
  Published<TxBindings> tx_;
  std::shared_ptr<TraceRequest> request_;
  Published<TraceState> trace_;
  Published<CaptureState> capture_;  // nothing: the packet is none that came
  std::unique_ptr<Worker> worker_;
};

}  // namespace sluice
