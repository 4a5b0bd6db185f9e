// SPDX-License-Identifier: Apache-2.0
#include "control/explanation.h"

#include "control/trace_text.h"

namespace sluice::explain {

Explainer::Explainer(const ScratchRun& run, const Interfaces& interfaces, Routes& routes)
    : run_(run), interfaces_(interfaces), routes_(routes), graph_(run.worker().graph().graph()) {}

/// The first: what follows is dropped because of it, or is an answer that gets lost.
std::optional<Explainer::Dropped> Explainer::find_drop() {
  const auto steps = run_.steps();
  for (own_steps_ = 0; own_steps_ < steps.size();) {
    const TraceStep& step = steps[own_steps_++];
    if (is_drop(step)) return Dropped{step.node, static_cast<std::uint16_t>(step.code & ~kVerdictDropBit)};
  }
  // Further on than the steps that are kept.
  for (std::uint32_t i = 0; run_.cut() && i < graph_.nodes().size(); ++i) {
    const auto& drops = run_.worker().graph().node(NodeIndex{i}).drop_packets;
    for (std::uint16_t reason = 0; reason < drops.size(); ++reason) {
      if (drops[reason].get() > 0) return Dropped{NodeIndex{i}, reason};
    }
  }
  return std::nullopt;
}

void Explainer::add_step(const TraceStep& step, Explanation& explanation) const {
  Step& m = *explanation.add_step();
  m.set_node(std::string(name_of(step.node)));
  m.set_fields(trace::fields_text(graph_.node(step.node).description, step, interfaces_));
  m.set_verdict(graph_.verdict(step.node, step.code));
  if (step.rx_interface.valid()) m.set_rx_interface(interfaces_.name(step.rx_interface));
  if (step.tx_interface.valid()) m.set_tx_interface(interfaces_.name(step.tx_interface));
  m.set_length(step.length);
}

void Explainer::explain(Explanation& explanation) {
  dropped_ = find_drop();
  const auto steps = run_.steps();
  for (const TraceStep& step : steps) add_step(step, explanation);
  explanation.set_cut(run_.cut());
  for (const TraceStep& step : steps.first(own_steps_)) add_causes(step, explanation);
  add_answers(explanation);
  conclude(*explanation.mutable_verdict());
}

Status Explainer::status_of(const Explanation& explanation) {
  const Verdict& verdict = explanation.verdict();
  if (verdict.word() != "dropped") return {};
  return failed_precondition("the packet would be dropped at {}: {}", verdict.node(), verdict.reason());
}

}  // namespace sluice::explain
