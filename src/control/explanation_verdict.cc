// SPDX-License-Identifier: Apache-2.0
// What becomes of a packet, and what this node says to its source.
#include <algorithm>
#include <cstring>

#include "control/explanation.h"
#include "control/packet_words.h"
#include "ip/ip4_icmp_error.h"
#include "ip/ip4_reassembly.h"
#include "ip/ip6_icmp_error.h"
#include "ip/ip6_reassembly.h"

namespace sluice::explain {
namespace {

constexpr std::string_view kPod = "pod/";

struct IcmpStep {
  std::string to;
  std::uint8_t type, code;
  bool ip6;
};

/// Of the step at which an ICMP error is made, what it is and for whom.
template <class K>
IcmpStep icmp_step(const TraceStep& step, bool ip6) {
  typename K::Trace trace;
  std::memcpy(&trace, step.payload.data(), sizeof trace);
  return {trace.to.to_string(), trace.type, trace.code, ip6};
}

/// How often the node has counted an event in this run.
std::uint64_t events(const ScratchRun& run, NodeIndex node, std::string_view event) {
  const auto& names = run.worker().graph().graph().node(node).description.events;
  const auto at = std::find(names.begin(), names.end(), event);
  return at == names.end()
             ? 0
             : run.worker().graph().node(node).event_counts[static_cast<std::size_t>(at - names.begin())].get();
}

}  // namespace

void Explainer::conclude(Verdict& verdict) const {
  const auto& sent = run_.sent();
  const bool went = std::any_of(sent.begin(), sent.end(), [](const auto& s) { return !s.made_here; });
  if (dropped_) {
    say_dropped(verdict);
  } else if (run_.worker().graph().overrun.get() > 0) {
    verdict.set_word("dropped");
    verdict.set_node("graph");
    verdict.set_reason("graph-overrun");
    verdict.set_sentence("the node or interface that it was to go to is gone");
    verdict.set_text("would be dropped: graph-overrun: the node or interface that it was to go to is gone");
  } else if (answered_ || (!went && !sent.empty())) {
    verdict.set_word("answered");
    verdict.set_text("would be answered by this node");
  } else if (went) {
    conclude_sent(verdict);
  } else {
    conclude_kept(verdict);
  }
}

void Explainer::say_dropped(Verdict& verdict) const {
  const NodeDescription& node = graph_.node(dropped_->node).description;
  verdict.set_word("dropped");
  verdict.set_node(node.name);
  verdict.set_reason(node.drops[dropped_->reason]);
  verdict.set_sentence(node.drop_sentences[dropped_->reason]);
  verdict.set_text(fmt::format("would be dropped: {}: {}", verdict.reason(), verdict.sentence()));
}

void Explainer::conclude_sent(Verdict& verdict) const {
  const auto steps = run_.steps();
  const bool punted = std::any_of(steps.begin(), steps.end(), [&](const TraceStep& step) {
    return step.rx_interface.valid() &&
           run_.worker().counters(step.rx_interface.slot())[InterfaceCounter::Punts].get() > 0;
  });
  const InterfaceIndex out = egress_.valid() && !punted ? egress_ : run_.sent().front().interface;
  const std::string name = interfaces_.name(out);
  verdict.set_interface(name);
  if (!next_hop_.is_unspecified() && !punted) verdict.set_neighbor(next_hop_.to_string());
  const std::size_t pieces = run_.sent_packets();
  const std::string in_pieces = pieces > 1 ? fmt::format(", in {} pieces", pieces) : "";
  if (punted) {
    verdict.set_word("delivered");
    verdict.set_text(fmt::format("would be delivered to the host, by {}{}", name, in_pieces));
  } else if (name.starts_with(kPod)) {
    verdict.set_word("forwarded");
    verdict.set_text(fmt::format("would be forwarded to {}{}", name, in_pieces));
  } else {
    verdict.set_word("sent");
    verdict.set_text(fmt::format("would be sent out of {}{}{}", name,
                                 verdict.neighbor().empty() ? "" : " to neighbour " + verdict.neighbor(), in_pieces));
  }
}

/// It has gone nowhere: a kernel has it, or has done with it.
void Explainer::conclude_kept(Verdict& verdict) const {
  const auto holders = run_.holders();
  const auto steps = run_.steps();
  const NodeIndex last = !holders.empty() ? holders.front() : steps.empty() ? NodeIndex{} : steps.back().node;
  const std::string node(last.valid() ? name_of(last) : "nobody");
  verdict.set_node(node);
  verdict.set_word("waits");
  if (waits_for_neighbor_) {
    verdict.set_word("sent");
    verdict.set_interface(interfaces_.name(egress_));
    verdict.set_neighbor(next_hop_.to_string());
    verdict.set_text(fmt::format("would be sent out of {} (neighbour {} is not resolved: it would be asked for first)",
                                 verdict.interface(), verdict.neighbor()));
  } else if (node == Ip4Reassembly::kInfo.name || node == Ip6Reassembly::kInfo.name) {
    verdict.set_text("would wait for the other fragments of its packet");
  } else if (!holders.empty()) {
    verdict.set_text(fmt::format("would be kept waiting by {}", node));
  } else {
    verdict.set_word("taken");
    verdict.set_text(fmt::format("would be taken by {}", node));
  }
}

void Explainer::add_answers(Explanation& explanation) const {
  for (const ScratchRun::Sent& sent : run_.sent()) {
    if (!sent.made_here) continue;
    Answer& answer = *explanation.add_answer();
    const InterfaceEntry* entry = interfaces_.find(sent.interface);
    answer.set_interface(interfaces_.name(sent.interface));
    answer.set_packet(control::packet_words(sent.bytes, entry ? entry->link : LinkLayer::Ethernet));
    answer.set_length(sent.length);
    answer.set_text(
        fmt::format("would send back out of {}: {}, {} bytes", answer.interface(), answer.packet(), sent.length));
  }
  if (explanation.answer_size() == 0) add_silence(explanation);
}

/// An ICMP error that was made and is not sent now, or was not made.
void Explainer::add_silence(Explanation& explanation) const {
  if (!dropped_ || own_steps_ == 0) return;
  const TraceStep& last = run_.steps()[own_steps_ - 1];
  const std::string_view node = name_of(last.node);
  const bool ip6 = node == Ip6IcmpError::kInfo.name;
  if (!ip6 && node != Ip4IcmpError::kInfo.name) return;
  const IcmpStep made = ip6 ? icmp_step<Ip6IcmpError>(last, true) : icmp_step<Ip4IcmpError>(last, false);
  Answer& answer = *explanation.add_answer();
  answer.set_packet(fmt::format("{} to {}", control::icmp_words(ip6, made.type, made.code, 0), made.to));
  if (events(run_, last.node, "sent") > 0) {
    const bool waits = !run_.holders().empty();
    answer.set_text(fmt::format("would send back {}{}", answer.packet(),
                                waits ? ", once its neighbour is resolved" : ", but that gets lost, too"));
  } else if (events(run_, last.node, "no-source") > 0) {
    answer.set_text("would send nothing back: this node has no address to answer from");
  } else {
    answer.set_text("would send nothing back: no ICMP error is sent about such a packet");
  }
}

}  // namespace sluice::explain
