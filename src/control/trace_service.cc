// SPDX-License-Identifier: Apache-2.0
#include "control/trace_service.h"

#include "control/live_trace.h"
#include "control/time_text.h"
#include "control/trace_text.h"
#include "sluice/clock.h"
#include "sluice/net/protocol.h"
#include "sluice/net/protocol_names.h"

namespace sluice::trace {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How often a live trace looks for packets that have ended.
constexpr milliseconds kLook{20};
/// How long it waits for those that are on their way when its time is over. A pass takes microseconds.
constexpr milliseconds kGrace{1000};
/// For the hint at `explain`, where the operator has left the source port open.
constexpr std::uint16_t kSomePort = 40000;
constexpr std::string_view kPodPrefix = "pod/";

/// The same packets behind up to two VLAN tags, too.
std::string with_tags(const std::string& expression) {
  // After `vlan`, everything that follows is looked for one tag further on.
  return fmt::format("({0}) or (vlan and (({0}) or (vlan and ({0}))))", expression);
}

std::string in_words(milliseconds time) {
  return time.count() % 1000 ? fmt::format("{} ms", time.count()) : fmt::format("{} s", time.count() / 1000);
}

}  // namespace

void TraceService::offer(Api& api) {
  api_ = &api;
  api.service("sluice.trace.Trace")
      .unary("AddTrace", this, &TraceService::add)
      .stream("ShowTrace", this, &TraceService::show)
      .unary("ClearTrace", this, &TraceService::clear)
      .stream("TraceFlow", this, &TraceService::flow)
      .stream("TracePod", this, &TraceService::pod);
  offer_kinds(api);
}

void TraceService::offer_kinds(Api& api) {
  const auto nothing = [](const KindQuery&) { return std::vector<Candidate>{}; };
  api.kind("pcap-filter", "a pcap expression", nothing, [](std::string_view text) -> Status {
    const std::string expression(text);
    return compile_filters(expression, expression).status();
  });
  api.kind(
      "protocol", "an IP protocol",
      [](const KindQuery&) {
        std::vector<Candidate> names;
        names.emplace_back(std::string(FlowPattern::kAnyProtocol), "any");
        for (unsigned number = 0; number < 256; ++number) {
          const auto name = protocol_name(static_cast<std::uint8_t>(number));
          if (!name.empty()) names.emplace_back(std::string(name), fmt::format("protocol {}", number));
        }
        return names;
      },
      FlowPattern::check_protocol);
  api.kind("flow-end", "an address and a port of a flow", nothing, FlowPattern::check_end);
  api.kind("pod", "a pod", [this](const KindQuery&) {
    std::vector<Candidate> names;
    for (const InterfaceEntry* entry : interfaces_.list()) {
      if (entry->name.starts_with(kPodPrefix)) names.emplace_back(entry->name.substr(kPodPrefix.size()));
    }
    return names;
  });
}

Status TraceService::add(const TraceSpec& spec, Done& done, CallContext& call) {
  const NodeIndex node = dataplane_.graph().find(spec.node());
  if (!node.valid()) return not_found("node {} does not exist; show graph lists them", spec.node());
  if (auto status = requests_.check(); !status.ok()) return status;
  auto request = requests_.make(node, spec.filter(), spec.filter());
  if (!request.ok()) return request.status();
  if (call.dry_run()) return {};
  requests_.begin(*request, spec.count(), false);
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
  const auto requests = requests_.remembered();
  std::uint32_t number = 0;
  for (const auto& request : requests) {
    for (unsigned worker = 0; worker < request->buffers.size(); ++worker) {
      const TraceBuffer& buffer = *request->buffers[worker];
      for (std::size_t i = 0; i < buffer.packets() && number < query.max(); ++i) {
        if (buffer.slot(i).steps.load(std::memory_order_acquire) == 0) continue;
        Packet m = message(worker, buffer.slot(i));
        m.set_number(++number);
        co_yield m;
      }
    }
  }
}

Status TraceService::clear(const Nothing&, Done& done) {
  done.set_unchanged(!requests_.clear());
  return {};
}

Stream<Packet> TraceService::flow(const FlowTrace& spec, CallContext& call) {
  return follow(watch(spec), call.dry_run());
}

Stream<Packet> TraceService::pod(const PodTrace& spec, CallContext& call) {
  return follow(watch(spec), call.dry_run());
}

StatusOr<TraceService::Watch> TraceService::watch(const FlowTrace& spec) const {
  const auto pattern = FlowPattern::parse(spec.protocol(), spec.source(), spec.destination());
  if (!pattern.ok()) return pattern.status();
  const auto expression = fmt::format("({}) or ({})", pattern->to_pcap(), pattern->reversed().to_pcap());
  auto request = requests_.make({}, with_tags(expression), expression);
  if (!request.ok()) return request.status();
  const milliseconds time(spec.time());
  auto nothing = fmt::format("no packet of this flow came in {}; {} says what would happen to one", in_words(time),
                             explain_line(*pattern));
  return Watch{*std::move(request), spec.count(), time, std::move(nothing)};
}

StatusOr<TraceService::Watch> TraceService::watch(const PodTrace& spec) const {
  const auto name = std::string(kPodPrefix) + spec.name();
  const InterfaceEntry* interface = interfaces_.find(name);
  if (!interface) return not_found("pod {}: no such pod; show pod lists them", spec.name());
  const auto addresses = pod_addresses(spec.name());
  if (!addresses.ok()) return addresses.status();
  std::string expression;
  std::string hint;
  for (const std::string& word : *addresses) {
    const auto address = IpAddress::parse(word);
    if (!address.ok()) return address.status();
    FlowPattern to_pod;
    to_pod.destination = *address;
    expression += fmt::format("{}({})", expression.empty() ? "" : " or ", to_pod.to_pcap());
    if (hint.empty()) hint = explain_line(to_pod.reversed());
  }
  // A pod's own packets are known by where they come in, whatever addresses they have.
  auto request = requests_.make({}, with_tags(expression), expression);
  if (!request.ok()) return request.status();
  (*request)->interface = interface->index;
  const milliseconds time(spec.time());
  auto nothing = fmt::format("no packet from or to pod {} came in {}; {} says what would happen to one", spec.name(),
                             in_words(time), hint);
  return Watch{*std::move(request), spec.count(), time, std::move(nothing)};
}

/// A stream that its client gives up is destroyed where it waits, and its trace with it.
Stream<Packet> TraceService::follow(StatusOr<Watch> watch, bool dry_run) {
  if (!watch.ok()) {
    co_yield watch.status();
    co_return;
  }
  if (auto status = requests_.check(); !status.ok()) {
    co_yield status;
    co_return;
  }
  if (dry_run) co_return;
  std::uint32_t number = 0;
  {
    const auto end = steady_clock::now() + watch->time;
    LiveTrace trace(requests_, dataplane_, watch->request, watch->packets);
    for (bool last = false, over = false; !last;) {
      const auto now = steady_clock::now();
      // What is held when the time is over is shown as it is; what runs is waited for.
      last = (over && !trace.has_running()) || now >= end + kGrace;
      const auto ended = trace.look(last);
      for (const auto& seen : ended) {
        Packet m = message(seen.worker, *seen.slot);
        m.set_number(++number);
        co_yield m;
      }
      if (!trace.has_running() && !trace.has_held()) break;
      if (now >= end) {
        trace.stop();
        over = true;
      }
      if (!last) co_yield Wait{kLook};
    }
  }
  if (number == 0) co_yield not_found("{}", watch->nothing);
}

/// What the pods' own service says of one.
StatusOr<std::vector<std::string>> TraceService::pod_addresses(const std::string& name) const {
  const Api::Method* show = api_->find("/sluice.pod.Pods/Show");
  if (!show) return failed_precondition("pod {}: the plugin pod is not loaded, which knows its addresses", name);
  const std::unique_ptr<google::protobuf::Message> query(show->request->New());
  const auto* pod = query->GetDescriptor()->FindFieldByName("name");
  const auto* address = show->reply->GetDescriptor()->FindFieldByName("address");
  if (!pod || !address) return failed_precondition("pod {}: the plugin pod is of another version", name);
  query->GetReflection()->SetString(query.get(), pod, name);
  CallContext call;
  const auto stream = show->streaming(*query, call);
  std::vector<std::string> addresses;
  for (auto step = stream->next(); step != AnyStream::Step::End; step = stream->next()) {
    if (step != AnyStream::Step::Value) continue;
    const auto& reply = stream->value();
    for (int i = 0; i < reply.GetReflection()->FieldSize(reply, address); ++i)
      addresses.push_back(reply.GetReflection()->GetRepeatedString(reply, address, i));
  }
  if (!stream->status().ok()) return stream->status();
  if (addresses.empty()) return not_found("pod {}: no such pod; show pod lists them", name);
  return addresses;
}

/// The `explain` of a packet of the flow. What the operator has left open stays so, but for what any value will do.
std::string TraceService::explain_line(const FlowPattern& pattern) const {
  FlowPattern packet = pattern;
  const auto& any = packet.source ? packet.source : packet.destination;
  if (!packet.protocol) packet.protocol = any && any->is_ip6() ? kIpProtocolIcmp6 : kIpProtocolIcmp;
  if (packet.has_ports() && !packet.source_port) packet.source_port = kSomePort;
  const auto from = packet.source ? interface_towards(*packet.source) : std::string();
  return fmt::format("explain from {} {}", from.empty() ? "INTERFACE" : from, packet.to_string());
}

/// The interface that packets from an address are to be expected at: the one that its route leads to.
std::string TraceService::interface_towards(const IpAddress& address) const {
  if (!routes_) return {};
  for (const std::uint32_t table : routes_->tables()) {
    const auto route = routes_->lookup(table, address);
    if (!route) continue;
    for (const ForwardingPath& path : routes_->paths(route->forwarding)) {
      if (path.interface.valid()) return interfaces_.name(path.interface);
    }
  }
  return {};
}

}  // namespace sluice::trace
