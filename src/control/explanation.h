// SPDX-License-Identifier: Apache-2.0
// What a scratch run says of a packet, for operators.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "control/explain.pb.h"
#include "core/scratch_run.h"
#include "sluice/interfaces.h"
#include "sluice/routes.h"

namespace sluice::explain {

class Explainer {
 public:
  Explainer(const ScratchRun& run, const Interfaces& interfaces, Routes& routes);

  /// Fills in the way, what decides, the answers and the verdict.
  void explain(Explanation& explanation);
  /// Ok, or the error that ends a command about a packet that would be dropped.
  static Status status_of(const Explanation& explanation);

 private:
  struct Dropped {
    NodeIndex node;
    std::uint16_t reason;
  };
  std::optional<Dropped> find_drop();
  void add_step(const TraceStep& step, Explanation& explanation) const;

  // What decides: explanation_causes.cc.
  void add_causes(const TraceStep& step, Explanation& explanation);
  void add_route(const IpAddress& destination, TableIndex table, ForwardingIndex found, Explanation& explanation);
  void add_next_hop(InterfaceIndex interface, const IpAddress& next_hop, std::uint32_t mtu, const TraceStep& step,
                    Explanation& explanation);
  void add_wait(InterfaceIndex interface, const IpAddress& next_hop, Explanation& explanation);
  void add_drop(const TraceStep& step, Explanation& explanation) const;
  std::optional<std::uint32_t> table_id(TableIndex slot);

  // What becomes of it, and what this node says: explanation_verdict.cc.
  void conclude(Verdict& verdict) const;
  void conclude_sent(Verdict& verdict) const;
  void conclude_kept(Verdict& verdict) const;
  void say_dropped(Verdict& verdict) const;
  void add_answers(Explanation& explanation) const;
  void add_silence(Explanation& explanation) const;

  std::string_view name_of(NodeIndex node) const { return graph_.node(node).description.name; }
  static bool is_drop(const TraceStep& step) { return (step.code & kVerdictDropBit) != 0; }

  const ScratchRun& run_;
  const Interfaces& interfaces_;
  Routes& routes_;
  const Graph& graph_;
  std::optional<Dropped> dropped_;
  std::size_t own_steps_ = 0;  ///< the packet's; those behind them are of the answer
  bool answered_ = false;      ///< the packet has become this node's answer
  InterfaceIndex egress_;      ///< where a route leads it, before VLANs are put on
  IpAddress next_hop_;
  bool waits_for_neighbor_ = false;
  ForwardingIndex forwarding_;  ///< what the last lookup found
};

}  // namespace sluice::explain
