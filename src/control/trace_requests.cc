// SPDX-License-Identifier: Apache-2.0
#include "control/trace_requests.h"

#include <pcap/pcap.h>

#include <algorithm>

namespace sluice::trace {
namespace {

constexpr int kSnapLength = 65535;

/// The last step that a worker has written, or null.
const TraceStep* last_step(const TraceBuffer::Slot& slot) {
  const std::uint32_t steps = slot.steps.load(std::memory_order_acquire);
  return steps == 0 ? nullptr : &slot.step[steps - 1];
}

/// For a link type (DLT_EN10MB, DLT_RAW).
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

}  // namespace

StatusOr<LinkFilters> compile_filters(const std::string& ethernet, const std::string& ip) {
  const PacketFilter nothing{{{0x06, 0, 0, 0}}};  // ret 0
  auto for_ethernet = compile_filter(ethernet, DLT_EN10MB);
  auto for_ip = compile_filter(ip, DLT_RAW);
  if (!for_ethernet.ok() && !for_ip.ok()) return for_ethernet.status();
  return LinkFilters{for_ethernet.ok() ? *std::move(for_ethernet) : nothing,
                     for_ip.ok() ? *std::move(for_ip) : nothing};
}

StatusOr<TraceRequests::Request> TraceRequests::make(NodeIndex node, const std::string& ethernet,
                                                     const std::string& ip) const {
  auto filters = compile_filters(ethernet, ip);
  if (!filters.ok()) return filters.status();
  auto request = std::make_shared<TraceRequest>();
  request->node = node;
  request->at_input = !node.valid() || dataplane_.graph().node(node).description.form == "input";
  request->ethernet = std::move(filters->ethernet);
  request->ip = std::move(filters->ip);
  return request;
}

Status TraceRequests::check() const {
  const auto active = std::count_if(entries_.begin(), entries_.end(),
                                    [](const Entry& e) { return e.is_wanted && e.request->wants_more(); });
  if (static_cast<std::size_t>(active) < kMaxActive) return {};
  return exhausted(
      "{} traces are under way, the most; clear trace ends those of trace add, the live ones end by "
      "themselves",
      kMaxActive);
}

void TraceRequests::begin(const Request& request, std::uint32_t packets, bool is_live) {
  request->id = next_id();
  for (unsigned i = 0; i < dataplane_.worker_count(); ++i)
    request->buffers.push_back(std::make_unique<TraceBuffer>(packets));
  request->remaining = packets;
  entries_.push_back({request, is_live, true});
  forget_old();
  publish();
}

void TraceRequests::end(const Request& request) {
  request->remaining = 0;
  for (Entry& entry : entries_) {
    if (entry.request == request) entry.is_wanted = false;
  }
  publish();
}

bool TraceRequests::clear() {
  const auto size = entries_.size();
  std::erase_if(entries_, [](const Entry& e) { return !e.is_live; });
  const bool any = entries_.size() != size;
  publish();
  return any;
}

std::vector<TraceRequests::Request> TraceRequests::remembered() const {
  std::vector<Request> requests;
  for (const Entry& entry : entries_) {
    if (!entry.is_live) requests.push_back(entry.request);
  }
  return requests;
}

bool TraceRequests::is_held(const TraceBuffer::Slot& slot) const {
  const TraceStep* last = last_step(slot);
  // Output nodes say Hold as well: the device has the packet, and it does not come back.
  return last && last->code == kVerdictHold && dataplane_.graph().node(last->node).description.held;
}

bool TraceRequests::is_under_way(const TraceBuffer::Slot& slot) const {
  const TraceStep* last = last_step(slot);
  if (!last) return true;
  if (last->code == kVerdictHold) return is_held(slot);
  return (last->code & kVerdictDropBit) == 0 && !slot.cut.load();
}

bool TraceRequests::goes_on(const TraceRequest& request) const {
  if (request.wants_more()) return true;
  for (const auto& buffer : request.buffers) {
    for (std::size_t i = 0; i < buffer->packets(); ++i) {
      if (is_under_way(buffer->slot(i))) return true;
    }
  }
  return false;
}

std::uint16_t TraceRequests::next_id() {
  const auto taken = [this](std::uint16_t id) {
    return id == TraceHandle::kNoRequest ||
           std::any_of(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.request->id == id; });
  };
  do {
    ++last_id_;
  } while (taken(last_id_));
  return last_id_;
}

void TraceRequests::forget_old() {
  const auto is_old = [](const Entry& e) { return !e.is_live && !e.request->wants_more(); };
  auto old = static_cast<std::size_t>(std::count_if(entries_.begin(), entries_.end(), is_old));
  for (; old > kMaxRemembered; --old) entries_.erase(std::find_if(entries_.begin(), entries_.end(), is_old));
}

/// A live request that has ended stays as long as packets of it are under way that may be those of others, too.
void TraceRequests::publish() {
  const bool others = std::any_of(entries_.begin(), entries_.end(),
                                  [this](const Entry& e) { return e.is_wanted && goes_on(*e.request); });
  std::erase_if(entries_, [&](const Entry& e) { return !e.is_wanted && !(others && goes_on(*e.request)); });
  auto state = std::make_unique<TraceState>();
  for (const Entry& entry : entries_) {
    if (goes_on(*entry.request)) state->requests.push_back(entry.request);
  }
  dataplane_.trace().publish(std::move(state));
}

}  // namespace sluice::trace
