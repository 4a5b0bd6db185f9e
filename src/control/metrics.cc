// SPDX-License-Identifier: Apache-2.0
#include "control/metrics.h"

#include <array>
#include <map>

#include "sluice/clock.h"

namespace sluice::metrics {
namespace {

using Labels = std::vector<std::string_view>;
constexpr double kNanoseconds = 1e-9;

template <InterfaceCounter kCounter>
void interface_counter(const Sources& sources, const Emit& emit) {
  for (const InterfaceEntry* e : sources.interfaces.list()) {
    emit(std::array<std::string_view, 2>{e->name, e->driver}, sources.interfaces.counter(e->index, kCounter));
  }
}

template <class Value>
void interface_value(const Sources& sources, const Emit& emit, Value value) {
  for (const InterfaceEntry* e : sources.interfaces.list()) {
    emit(std::array<std::string_view, 2>{e->name, e->driver}, value(*e));
  }
}

/// A number of each node, summed over the workers.
template <class Value>
void node_value(const Sources& sources, const Emit& emit, Value value) {
  const auto& nodes = sources.dataplane.graph().nodes();
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    std::uint64_t sum = 0;
    for (const auto& thread : sources.dataplane.workers()) sum += value(thread->worker().graph().node(NodeIndex{i}));
    emit(std::array<std::string_view, 1>{nodes[i].description.name}, sum);
  }
}

/// A list of counters of each node, summed over the workers, with the name of each.
template <class Names, class Counters>
void node_list(const Sources& sources, const Emit& emit, Names names, Counters counters) {
  const auto& nodes = sources.dataplane.graph().nodes();
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    const std::vector<std::string>& each = names(nodes[i].description);
    for (std::size_t n = 0; n < each.size(); ++n) {
      std::uint64_t sum = 0;
      for (const auto& thread : sources.dataplane.workers())
        sum += counters(thread->worker().graph().node(NodeIndex{i}))[n].get();
      emit(std::array<std::string_view, 2>{nodes[i].description.name, each[n]}, sum);
    }
  }
}

template <class Value>
void worker_value(const Sources& sources, const Emit& emit, Value value) {
  for (const auto& thread : sources.dataplane.workers()) {
    const std::string worker = std::to_string(thread->worker().index());
    emit(std::array<std::string_view, 1>{worker}, value(*thread));
  }
}

void drops(const Sources& sources, const Emit& emit) {
  node_list(
      sources, emit, [](const NodeDescription& d) -> auto& { return d.drops; },
      [](const NodeRuntime& n) -> auto& { return n.drop_packets; });
  std::uint64_t overruns = 0;
  for (const auto& thread : sources.dataplane.workers()) overruns += thread->worker().graph().overrun.get();
  emit(std::array<std::string_view, 2>{"graph", "graph-overrun"}, overruns);
}

void neighbors(const Sources& sources, const Emit& emit) {
  constexpr std::array kStates = {NeighborState::Incomplete, NeighborState::Reachable, NeighborState::Probe,
                                  NeighborState::Failed, NeighborState::Permanent};
  std::map<NeighborState, std::uint64_t> count;
  for (const NeighborEntry& entry : sources.neighbors.list()) ++count[entry.state];
  for (const NeighborState state : kStates) emit(std::array<std::string_view, 1>{to_string(state)}, count[state]);
}

void routes(const Sources& sources, const Emit& emit) {
  for (const std::uint32_t table : sources.routes.tables()) {
    const std::string number = std::to_string(table);
    for (const bool ip6 : {false, true}) {
      emit(std::array<std::string_view, 2>{number, ip6 ? "ip6" : "ip4"}, sources.routes.size(table, ip6));
    }
  }
}

void http_refusals(const Sources& sources, const Emit& emit) {
  emit(std::array<std::string_view, 1>{"bad-request"}, sources.http.refused);
  emit(std::array<std::string_view, 1>{"too-many"}, sources.http.too_many);
  emit(std::array<std::string_view, 1>{"timeout"}, sources.http.timed_out);
}

void append_interfaces(std::vector<Family>& all) {
  using C = InterfaceCounter;
  const Labels labels{"interface", "driver"};
  const auto counter = [&](std::string_view name, std::string_view help, auto collect) {
    all.push_back({name, help, Type::Counter, labels, collect});
  };
  counter("sluice_interface_rx_packets_total", "Packets received.", interface_counter<C::RxPackets>);
  counter("sluice_interface_rx_bytes_total", "Bytes received.", interface_counter<C::RxBytes>);
  counter("sluice_interface_tx_packets_total", "Packets sent.", interface_counter<C::TxPackets>);
  counter("sluice_interface_tx_bytes_total", "Bytes sent.", interface_counter<C::TxBytes>);
  counter("sluice_interface_drops_total", "Packets that came in here and were dropped anywhere in the graph.",
          interface_counter<C::Drops>);
  counter("sluice_interface_punts_total", "Packets that came in here and were given to the host.",
          interface_counter<C::Punts>);
  counter("sluice_interface_ip4_packets_total", "IPv4 packets received.", interface_counter<C::Ip4>);
  counter("sluice_interface_ip6_packets_total", "IPv6 packets received.", interface_counter<C::Ip6>);
  counter("sluice_interface_rx_missed_total", "Packets lost in the device before they were received.",
          interface_counter<C::RxMiss>);
  counter("sluice_interface_rx_no_buffer_total", "Packets not received because no buffer was free.",
          interface_counter<C::RxNoBuffer>);
  counter("sluice_interface_rx_errors_total", "Packets that the device gave and that were not usable.",
          interface_counter<C::RxError>);
  counter("sluice_interface_tx_errors_total", "Packets that the device did not take.", interface_counter<C::TxError>);
  all.push_back({"sluice_interface_up", "1 when the interface is up and has a carrier, else 0.", Type::Gauge, labels,
                 [](const Sources& s, const Emit& emit) {
                   interface_value(s, emit, [](const InterfaceEntry& e) { return e.admin_up && e.carrier ? 1u : 0u; });
                 }});
  all.push_back({"sluice_interface_mtu_bytes", "Largest packet of layer 3.", Type::Gauge, labels,
                 [](const Sources& s, const Emit& emit) {
                   interface_value(s, emit, [](const InterfaceEntry& e) { return e.mtu; });
                 }});
}

void append_nodes(std::vector<Family>& all) {
  all.push_back(
      {"sluice_drops_total", "Packets dropped, by node and reason.", Type::Counter, {"node", "reason"}, drops});
  all.push_back({"sluice_node_calls_total",
                 "How often the node ran.",
                 Type::Counter,
                 {"node"},
                 [](const Sources& s, const Emit& emit) {
                   node_value(s, emit, [](const NodeRuntime& n) { return n.calls.get(); });
                 }});
  all.push_back({"sluice_node_packets_total",
                 "Packets that the node saw.",
                 Type::Counter,
                 {"node"},
                 [](const Sources& s, const Emit& emit) {
                   node_value(s, emit, [](const NodeRuntime& n) { return n.packets.get(); });
                 }});
  all.push_back({"sluice_node_seconds_total",
                 "Time spent in the node.",
                 Type::Counter,
                 {"node"},
                 [](const Sources& s, const Emit& emit) {
                   node_value(s, emit, [](const NodeRuntime& n) { return tsc_to_ns(n.cycles.get()); });
                 },
                 kNanoseconds});
  all.push_back({"sluice_node_events_total",
                 "What else the node counts, by event.",
                 Type::Counter,
                 {"node", "event"},
                 [](const Sources& s, const Emit& emit) {
                   node_list(
                       s, emit, [](const NodeDescription& d) -> auto& { return d.events; },
                       [](const NodeRuntime& n) -> auto& { return n.event_counts; });
                 }});
}

void append_workers(std::vector<Family>& all) {
  const auto worker = [&](std::string_view name, std::string_view help, auto collect, double scale = 1) {
    all.push_back({name, help, Type::Counter, {"worker"}, collect, scale});
  };
  worker(
      "sluice_worker_busy_seconds_total", "Time in which the worker had packets.",
      [](const Sources& s, const Emit& emit) {
        worker_value(s, emit, [](WorkerThread& t) { return tsc_to_ns(t.worker().busy_cycles.get()); });
      },
      kNanoseconds);
  worker(
      "sluice_worker_idle_seconds_total", "Time in which the worker looked for packets in vain, or slept.",
      [](const Sources& s, const Emit& emit) {
        worker_value(s, emit, [](WorkerThread& t) { return tsc_to_ns(t.worker().idle_cycles.get()); });
      },
      kNanoseconds);
  worker(
      "sluice_worker_system_seconds_total", "Of the busy time, that in the system calls of devices.",
      [](const Sources& s, const Emit& emit) {
        worker_value(s, emit, [](WorkerThread& t) { return tsc_to_ns(t.worker().system_cycles.get()); });
      },
      kNanoseconds);
  worker("sluice_worker_loops_total", "Passes of the worker's loop.", [](const Sources& s, const Emit& emit) {
    worker_value(s, emit, [](WorkerThread& t) { return t.worker().loops.get(); });
  });
  worker("sluice_worker_sleeps_total", "How often the worker slept in epoll.", [](const Sources& s, const Emit& emit) {
    worker_value(s, emit, [](WorkerThread& t) { return t.worker().sleeps.get(); });
  });
  worker("sluice_worker_wakeups_total", "How often an event ended a sleep.", [](const Sources& s, const Emit& emit) {
    worker_value(s, emit, [](WorkerThread& t) { return t.worker().wakeups.get(); });
  });
  worker("sluice_worker_received_packets_total", "Packets that the worker took from receive queues.",
         [](const Sources& s, const Emit& emit) {
           worker_value(s, emit, [](WorkerThread& t) { return t.worker().received.get(); });
         });
  worker("sluice_worker_handoffs_total", "Packets that the worker gave to other workers.",
         [](const Sources& s, const Emit& emit) {
           worker_value(s, emit, [](WorkerThread& t) { return t.worker().sent_handoffs.get(); });
         });
  worker("sluice_worker_lost_handoffs_total", "Packets that found a full ring to another worker.",
         [](const Sources& s, const Emit& emit) {
           worker_value(s, emit, [](WorkerThread& t) { return t.worker().lost_handoffs.get(); });
         });
  worker("sluice_worker_lost_messages_total", "Messages that found the ring to the control thread full.",
         [](const Sources& s, const Emit& emit) {
           worker_value(s, emit, [](WorkerThread& t) { return t.worker().lost_messages.get(); });
         });
  worker("sluice_worker_starved_total", "How often the worker was ready to run and got no CPU for 450 ms.",
         [](const Sources& s, const Emit& emit) {
           worker_value(s, emit, [](WorkerThread& t) { return t.starved.get(); });
         });
}

void append_buffers(std::vector<Family>& all) {
  const auto add = [&](std::string_view name, std::string_view help, Type type, auto collect) {
    all.push_back({name, help, type, {}, collect});
  };
  add("sluice_buffers", "Buffers in the pool.", Type::Gauge,
      [](const Sources& s, const Emit& emit) { emit({}, s.dataplane.pool().usage().total); });
  add("sluice_buffers_used", "Buffers that hold packets.", Type::Gauge,
      [](const Sources& s, const Emit& emit) { emit({}, s.dataplane.pool().usage().used); });
  add("sluice_buffers_cached", "Free buffers in the workers' caches.", Type::Gauge,
      [](const Sources& s, const Emit& emit) { emit({}, s.dataplane.pool().usage().cached); });
  add("sluice_buffers_borrowed_total", "How often a worker took a buffer of another NUMA node.", Type::Counter,
      [](const Sources& s, const Emit& emit) { emit({}, s.dataplane.pool().usage().borrowed); });
  add("sluice_buffers_exhausted_total", "How often no buffer was free.", Type::Counter,
      [](const Sources& s, const Emit& emit) { emit({}, s.dataplane.pool().usage().exhausted); });
}

void append_tables(std::vector<Family>& all) {
  all.push_back({"sluice_neighbors", "Neighbours, by state.", Type::Gauge, {"state"}, neighbors});
  const auto counter = [&](std::string_view name, std::string_view help, auto collect) {
    all.push_back({name, help, Type::Counter, {}, collect});
  };
  counter("sluice_neighbor_solicits_total", "Questions sent for neighbours.",
          [](const Sources& s, const Emit& emit) { emit({}, s.neighbors.counters().solicits); });
  counter("sluice_neighbor_failed_total", "Neighbours that did not answer.",
          [](const Sources& s, const Emit& emit) { emit({}, s.neighbors.counters().failed); });
  counter("sluice_neighbor_table_full_total", "Neighbours that found no place in the table.",
          [](const Sources& s, const Emit& emit) { emit({}, s.neighbors.counters().table_full); });
  counter("sluice_neighbor_evicted_total", "Neighbours that made room for others.",
          [](const Sources& s, const Emit& emit) { emit({}, s.neighbors.counters().evicted); });
  all.push_back({"sluice_routes", "Routes, by table and family.", Type::Gauge, {"table", "family"}, routes});
}

void append_process(std::vector<Family>& all) {
  all.push_back({"sluice_build_info",
                 "1; what was built is in the labels.",
                 Type::Gauge,
                 {"version", "isa"},
                 [](const Sources&, const Emit& emit) {
                   emit(std::array<std::string_view, 2>{SLUICE_VERSION, SLUICE_ISA_NAME}, 1);
                 }});
  all.push_back({"sluice_uptime_seconds",
                 "Time since the daemon started.",
                 Type::Gauge,
                 {},
                 [](const Sources& s, const Emit& emit) {
                   const std::chrono::nanoseconds up = std::chrono::steady_clock::now() - s.start;
                   emit({}, static_cast<std::uint64_t>(up.count()));
                 },
                 kNanoseconds});
  all.push_back({"sluice_metrics_requests_total",
                 "Requests answered with metrics.",
                 Type::Counter,
                 {},
                 [](const Sources& s, const Emit& emit) { emit({}, s.http.requests); }});
  all.push_back({"sluice_metrics_refused_total",
                 "Clients of the metrics that were turned away, by reason.",
                 Type::Counter,
                 {"reason"},
                 http_refusals});
}

}  // namespace

std::span<const Family> families() {
  static const std::vector<Family> all = [] {
    std::vector<Family> made;
    append_process(made);
    append_interfaces(made);
    append_nodes(made);
    append_workers(made);
    append_buffers(made);
    append_tables(made);
    return made;
  }();
  return all;
}

}  // namespace sluice::metrics
