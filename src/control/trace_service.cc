// SPDX-License-Identifier: Apache-2.0
#include "control/trace_service.h"

#include <pcap/pcap.h>

#include <algorithm>

#include "control/time_text.h"
#include "control/trace_text.h"
#include "sluice/clock.h"

namespace sluice::trace {
namespace {

constexpr int kSnapLength = 65535;

}  // namespace

StatusOr<PacketFilter> compile_filter(const std::string& expression, int link_type) {
  PacketFilter filter;
  if (expression.empty()) return filter;
  const std::unique_ptr<pcap_t, decltype(&pcap_close)> handle(pcap_open_dead(link_type, kSnapLength), &pcap_close);
  bpf_program program{};
  if (!handle || pcap_compile(handle.get(), &program, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    return refused("filter '{}': {}; see pcap-filter(7)", expression,
                   handle ? pcap_geterr(handle.get()) : "out of memory");
  }
  for (unsigned i = 0; i < program.bf_len; ++i) {
    const bpf_insn& in = program.bf_insns[i];
    filter.code.push_back({in.code, in.jt, in.jf, in.k});
  }
  pcap_freecode(&program);
  return filter;
}

void TraceService::offer(Api& api) {
  api.service("sluice.trace.Trace")
      .unary("AddTrace", this, &TraceService::add)
      .stream("ShowTrace", this, &TraceService::show)
      .unary("ClearTrace", this, &TraceService::clear);
  api.kind(
      "pcap-filter", "a pcap expression", [](const KindQuery&) { return std::vector<Candidate>{}; },
      [](std::string_view text) -> Status {
        const std::string expression(text);
        // An expression that only Ethernet can answer (ether host …) is good on the interfaces that have it.
        auto ethernet = compile_filter(expression, DLT_EN10MB);
        if (ethernet.ok()) return {};
        auto raw = compile_filter(expression, DLT_RAW);
        return raw.ok() ? Status() : ethernet.status();
      });
}

Status TraceService::add(const TraceSpec& spec, Done& done, CallContext& call) {
  const NodeIndex node = dataplane_.graph().find(spec.node());
  if (!node.valid()) return not_found("node {} does not exist; show graph lists them", spec.node());
  const TraceState& now = dataplane_.trace().get();
  auto next = std::make_unique<TraceState>();
  std::copy_if(now.requests.begin(), now.requests.end(), std::back_inserter(next->requests),
               [](const auto& r) { return r->remaining.load() > 0; });
  if (next->requests.size() == kMaxRequests) {
    return exhausted("{} traces are under way, the most; clear trace ends them", kMaxRequests);
  }
  auto request = std::make_shared<TraceRequest>();
  request->node = node;
  request->at_input = dataplane_.graph().node(node).description.form == "input";
  request->remaining = spec.count();
  const auto ethernet = compile_filter(spec.filter(), DLT_EN10MB);
  const auto ip = compile_filter(spec.filter(), DLT_RAW);
  if (!ethernet.ok() && !ip.ok()) return ethernet.status();
  // A filter that cannot be meant for a link type matches nothing there: `ret 0`.
  const PacketFilter nothing{{{0x06, 0, 0, 0}}};
  request->ethernet = ethernet.ok() ? *ethernet : nothing;
  request->ip = ip.ok() ? *ip : nothing;
  if (call.dry_run()) return {};

  next->requests.push_back(std::move(request));
  std::int64_t packets = 0;
  for (const auto& r : next->requests) packets += std::max<std::int64_t>(0, r->remaining.load());
  ++epoch_;
  for (unsigned i = 0; i < dataplane_.worker_count(); ++i) {
    next->buffers.push_back(std::make_shared<TraceBuffer>(static_cast<std::size_t>(packets), epoch_));
  }
  for (unsigned i = 0; i < now.buffers.size(); ++i) finished_.emplace_back(i, now.buffers[i]);
  while (finished_.size() > kMaxFinished) finished_.pop_front();
  dataplane_.trace().publish(std::move(next));
  done.set_text(fmt::format("tracing the next {} packets at {}; show trace prints them", spec.count(), spec.node()));
  return {};
}

Packet TraceService::message(unsigned worker, const TraceBuffer::Slot& slot) const {
  Packet m;
  m.set_worker(worker);
  m.set_cut(slot.cut.load());
  const std::uint32_t steps = slot.steps.load(std::memory_order_acquire);
  const std::uint64_t start = slot.step[0].tsc;
  m.set_time(control::time_of_day(tsc_to_wall_ns(start)));
  for (std::uint32_t i = 0; i < steps; ++i) {
    const TraceStep& step = slot.step[i];
    const NodeDescription& node = dataplane_.graph().node(step.node).description;
    auto* hop = m.add_hop();
    const std::uint64_t ns = tsc_to_ns(step.tsc - start);
    hop->set_at(fmt::format("+{}.{:01}us", ns / 1000, ns / 100 % 10));
    hop->set_at_ns(ns);
    hop->set_node(node.name);
    hop->set_fields(fields_text(node, step, interfaces_));
    hop->set_verdict(dataplane_.graph().verdict(step.node, step.code));
    if (step.rx_interface.valid()) hop->set_rx_interface(interfaces_.name(step.rx_interface));
    if (step.tx_interface.valid()) hop->set_tx_interface(interfaces_.name(step.tx_interface));
    hop->set_length(step.length);
  }
  return m;
}

Stream<Packet> TraceService::show(const TraceQuery& query) {
  auto buffers = finished_;
  const TraceState& now = dataplane_.trace().get();
  for (unsigned i = 0; i < now.buffers.size(); ++i) buffers.push_back({i, now.buffers[i]});
  std::uint32_t number = 0;
  for (const auto& [worker, buffer] : buffers) {
    for (std::size_t i = 0; i < buffer->packets() && number < query.max(); ++i) {
      if (buffer->slot(i).steps.load(std::memory_order_acquire) == 0) continue;
      Packet m = message(worker, buffer->slot(i));
      m.set_number(++number);
      co_yield m;
    }
  }
}

Status TraceService::clear(const Nothing&, Done& done) {
  done.set_unchanged(finished_.empty() && dataplane_.trace().get().requests.empty());
  finished_.clear();
  dataplane_.trace().publish(std::make_unique<TraceState>());
  return {};
}

}  // namespace sluice::trace
