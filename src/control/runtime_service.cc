// SPDX-License-Identifier: Apache-2.0
#include "control/runtime_service.h"

#include <algorithm>

namespace sluice::runtime {
namespace {

void add(std::vector<std::uint64_t>& sums, const std::vector<Counter>& counters) {
  sums.resize(counters.size());
  for (std::size_t i = 0; i < counters.size(); ++i) sums[i] += counters[i].get();
}

void subtract(std::vector<std::uint64_t>& values, const std::vector<std::uint64_t>& base) {
  for (std::size_t i = 0; i < std::min(values.size(), base.size()); ++i) values[i] -= base[i];
}

std::uint64_t sum(const std::vector<std::uint64_t>& values) {
  std::uint64_t total = 0;
  for (const std::uint64_t v : values) total += v;
  return total;
}

}  // namespace

std::uint64_t NodeTotals::separate() const { return packets - std::min(packets, fused); }

NodeTotals& NodeTotals::operator-=(const NodeTotals& base) {
  calls -= base.calls;
  packets -= base.packets;
  cycles -= base.cycles;
  fused -= base.fused;
  subtract(next, base.next);
  subtract(drops, base.drops);
  subtract(events, base.events);
  return *this;
}

void RuntimeService::offer(Api& api) {
  api.service("sluice.runtime.Runtime")
      .stream("ShowRuntime", this, &RuntimeService::show_runtime)
      .stream("ShowChains", this, &RuntimeService::show_chains)
      .stream("ShowInterfaceChains", this, &RuntimeService::show_interface_chains)
      .stream("ShowErrors", this, &RuntimeService::show_errors)
      .unary("ShowNode", this, &RuntimeService::show_node)
      .stream("ShowGraph", this, &RuntimeService::show_graph)
      .stream("ShowBuffers", this, &RuntimeService::show_buffers)
      .stream("ShowThreads", this, &RuntimeService::show_threads)
      .unary("ClearRuntime", this, &RuntimeService::clear_runtime)
      .unary("ClearErrors", this, &RuntimeService::clear_errors);
}

NodeTotals RuntimeService::totals(NodeIndex node, std::int64_t only_worker) const {
  NodeTotals t;
  for (const auto& thread : dataplane_.workers()) {
    const Worker& worker = thread->worker();
    if (only_worker >= 0 && worker.index() != only_worker) continue;
    const NodeRuntime& n = worker.graph().node(node);
    t.calls += n.calls.get();
    t.packets += n.packets.get();
    t.cycles += n.cycles.get();
    t.fused += n.fused_packets.get();
    add(t.next, n.next_packets);
    add(t.drops, n.drop_packets);
    add(t.events, n.event_counts);
  }
  return t;
}

std::vector<NodeTotals> RuntimeService::all_totals() const {
  std::vector<NodeTotals> all;
  for (std::uint32_t i = 0; i < dataplane_.graph().nodes().size(); ++i) all.push_back(totals(NodeIndex{i}));
  return all;
}

Stream<NodeLoad> RuntimeService::show_runtime(const RuntimeQuery& query) {
  const auto& nodes = dataplane_.graph().nodes();
  const std::int64_t worker = query.has_worker() ? static_cast<std::int64_t>(query.worker()) : -1;
  if (worker >= static_cast<std::int64_t>(dataplane_.worker_count())) {
    co_yield refused("worker {}: there are workers 0 to {}", worker, dataplane_.worker_count() - 1);
  }
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    NodeTotals t = totals(NodeIndex{i}, worker);
    if (worker < 0 && i < runtime_base_.size()) t -= runtime_base_[i];
    if (t.calls == 0 && !query.all()) continue;
    NodeLoad m;
    m.set_node(nodes[i].description.name);
    m.set_state(t.calls ? "active" : "idle");
    m.set_calls(t.calls);
    m.set_packets(t.packets);
    m.set_packets_per_call(ratio(t.packets, t.calls));
    m.set_cycles_per_packet(ratio(t.cycles, t.separate()));
    m.set_drops(sum(t.drops));
    m.set_cycles(t.cycles);
    m.set_fused(t.fused);
    co_yield m;
  }
}

Stream<Error> RuntimeService::show_errors(const ErrorQuery& query) {
  const auto& nodes = dataplane_.graph().nodes();
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    NodeTotals t = totals(NodeIndex{i});
    if (i < error_base_.size()) t -= error_base_[i];
    for (std::size_t reason = 0; reason < t.drops.size(); ++reason) {
      if (t.drops[reason] == 0 && !query.all()) continue;
      Error m;
      m.set_packets(t.drops[reason]);
      m.set_node(nodes[i].description.name);
      m.set_reason(nodes[i].description.drops[reason]);
      m.set_sentence(nodes[i].description.drop_sentences[reason]);
      co_yield m;
    }
  }
  std::uint64_t overruns = 0;
  for (const auto& thread : dataplane_.workers()) overruns += thread->worker().graph().overrun.get();
  if (overruns || query.all()) {
    Error m;
    m.set_packets(overruns);
    m.set_node("graph");
    m.set_reason("graph-overrun");
    m.set_sentence("a packet found no free frame, or the node that it was meant for is gone");
    co_yield m;
  }
}

Status RuntimeService::show_node(const NodeQuery& query, Node& reply) {
  const Graph& graph = dataplane_.graph();
  const NodeIndex index = graph.find(query.name());
  if (!index.valid()) return not_found("node {} does not exist; show graph lists them", query.name());
  const Graph::Node& node = graph.node(index);
  const NodeDescription& d = node.description;
  const NodeTotals t = totals(index);
  reply.set_name(d.name);
  reply.set_summary(d.summary);
  reply.set_plugin(d.plugin);
  reply.set_form(d.form);
  reply.set_isa(SLUICE_ISA_NAME);  // whoever has another level is not loaded
  if (node.feature_arc) reply.set_arc(graph.arcs()[*node.feature_arc].name);
  reply.set_calls(t.calls);
  reply.set_packets(t.packets);
  reply.set_cycles_per_packet(ratio(t.cycles, t.separate()));
  reply.set_fused(t.fused);
  for (std::size_t i = 0; i < node.edges.size(); ++i) {
    auto* edge = reply.add_next();
    edge->set_name(node.edges[i].name);
    edge->set_packets(t.next[i]);
    if (node.edges[i].arc != Edge::kNoArc) edge->set_note(fmt::format("arc {}", graph.arcs()[node.edges[i].arc].name));
  }
  for (std::size_t i = 0; i < d.drops.size(); ++i) {
    auto* edge = reply.add_drop();
    edge->set_name(d.drops[i]);
    edge->set_packets(t.drops[i]);
    edge->set_note(d.drop_sentences[i]);
  }
  for (std::size_t i = 0; i < d.events.size(); ++i) {
    auto* edge = reply.add_event();
    edge->set_name(d.events[i]);
    edge->set_packets(t.events[i]);
  }
  for (const Graph::Node& other : graph.nodes()) {
    const bool leads_here =
        std::any_of(other.edges.begin(), other.edges.end(), [&](const Edge& e) { return e.node == index; });
    if (leads_here) reply.add_previous(other.description.name);
  }
  return {};
}

Stream<GraphNode> RuntimeService::show_graph(const Nothing&) {
  const Graph& graph = dataplane_.graph();
  for (const Graph::Node& node : graph.nodes()) {
    GraphNode m;
    m.set_node(node.description.name);
    for (const Edge& edge : node.edges) m.add_next(edge.name);
    co_yield m;
  }
}

Stream<Buffers> RuntimeService::show_buffers(const Nothing&) {
  const BufferPool& pool = dataplane_.pool();
  for (std::size_t i = 0; i < pool.parts(); ++i) {
    const PoolPart& part = pool.part(i);
    const PoolUsage usage = pool.usage(i);
    Buffers m;
    m.set_pool(part.node < 0 ? "default" : fmt::format("node{}", part.node));
    if (part.node >= 0) m.set_numa_node(std::to_string(part.node));
    m.set_pages(part.pages);
    m.set_size(kSegmentSize);
    m.set_total(usage.total);
    m.set_available(usage.available);
    m.set_cached(usage.cached);
    m.set_used(usage.used);
    m.set_exhausted(usage.exhausted);
    m.set_borrowed(usage.borrowed);
    co_yield m;
  }
}

Stream<Thread> RuntimeService::show_threads(const Nothing&) {
  for (const auto& thread : dataplane_.workers()) {
    const Worker& w = thread->worker();
    Thread m;
    m.set_name(fmt::format("sluice-wk{}", w.index()));
    m.set_tid(thread->tid());
    m.set_cpu(thread->cpu() ? std::to_string(*thread->cpu()) : "any");
    const WorkerLoad base = load_base_.contains(w.index()) ? load_base_[w.index()] : WorkerLoad{};
    const std::uint64_t busy = w.busy_cycles.get() - base.busy;
    m.set_load(100.0 * ratio(busy, busy + w.idle_cycles.get() - base.idle));
    m.set_loops(w.loops.get());
    m.set_sleeps(w.sleeps.get());
    m.set_wakeups(w.wakeups.get());
    m.set_packets_per_call(ratio(w.received.get() - base.received, w.received_vectors.get() - base.vectors));
    m.set_received(w.received.get());
    m.set_handoffs_sent(w.sent_handoffs.get());
    m.set_handoffs_taken(w.taken_handoffs.get());
    if (const int node = dataplane_.pool().part(w.buffers_part()).node; node >= 0)
      m.set_numa_node(std::to_string(node));
    const auto& queues = thread->queues().queues;
    m.set_queues(static_cast<std::uint32_t>(
        std::count_if(queues.begin(), queues.end(), [](const RxBinding& b) { return b.queue != nullptr; })));
    m.set_handoffs_lost(w.lost_handoffs.get());
    m.set_messages_lost(w.lost_messages.get());
    m.set_overruns(w.graph().overrun.get());
    m.set_starved(thread->starved.get());
    m.set_busy_cycles(w.busy_cycles.get());
    m.set_idle_cycles(w.idle_cycles.get());
    m.set_system_cycles(w.system_cycles.get());
    co_yield m;
  }
}

Status RuntimeService::clear_runtime(const Nothing&, Done&) {
  runtime_base_ = all_totals();
  chain_base_ = chain_totals();
  for (const auto& thread : dataplane_.workers()) {
    const Worker& w = thread->worker();
    load_base_[w.index()] = {w.busy_cycles.get(), w.idle_cycles.get(), w.received.get(), w.received_vectors.get()};
  }
  return {};
}

Status RuntimeService::clear_errors(const Nothing&, Done&) {
  error_base_ = all_totals();
  return {};
}

std::string graph_as_dot(const Graph& graph) {
  std::string dot = "digraph sluice {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\", fontsize=11];\n";
  for (const Graph::Node& node : graph.nodes()) {
    const std::string& name = node.description.name;
    dot += fmt::format("  \"{}\" [tooltip=\"{}\"{}];\n", name, node.description.summary,
                       node.feature_arc ? ", style=rounded" : "");
    for (const Edge& edge : node.edges) {
      if (edge.kind == EdgeKind::Node) {
        const bool arc = edge.arc != Edge::kNoArc;
        dot += fmt::format("  \"{}\" -> \"{}\"{};\n", name, edge.name,
                           arc ? fmt::format(" [label=\"{}\", fontsize=9]", graph.arcs()[edge.arc].name) : "");
      } else if (edge.kind == EdgeKind::Device) {
        dot += fmt::format("  \"{}\" -> \"DRIVER-output\";\n", name);
      } else if (edge.kind == EdgeKind::Registered) {
        dot += fmt::format("  \"{}\" -> \"registered protocol\" [style=dashed];\n", name);
      }
    }
    if (node.feature_arc) {
      const auto& arc = graph.arcs()[*node.feature_arc];
      for (const std::string& start : arc.start_nodes) {
        dot += fmt::format("  \"{}\" -> \"{}\" [style=dotted, label=\"{}\", fontsize=9];\n", start, name, arc.name);
      }
    }
  }
  return dot + "}\n";
}

}  // namespace sluice::runtime
