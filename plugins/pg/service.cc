// SPDX-License-Identifier: Apache-2.0
#include "service.h"

#include <google/protobuf/util/message_differencer.h>

#include "capture.h"
#include "sluice/clock.h"
#include "template.h"

namespace sluice::pg {
namespace {

std::string_view link_name(LinkLayer link) { return link == LinkLayer::Ethernet ? "Ethernet frames" : "IP packets"; }

std::string source_of(const Stream& spec) {
  return spec.pcap().empty() ? spec.stream() : fmt::format("pcap {}", spec.pcap());
}

std::string target_name(const Stream& spec) {
  if (!spec.out().empty()) return fmt::format("out of {}", spec.out());
  if (!spec.node().empty()) return fmt::format("{}, from {}", spec.node(), spec.interface());
  return fmt::format("into {}", spec.interface());
}

std::string entries(const Graph& graph) {
  std::string names;
  for (const Graph::Node& node : graph.nodes()) {
    if (node.description.entry) names += (names.empty() ? "" : ", ") + node.description.name;
  }
  return names;
}

std::string differences(const Stream& have, const Stream& want) {
  std::string text;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&text);
  differencer.Compare(have, want);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text) c = c == '\n' ? ';' : c;
  return text;
}

}  // namespace

Service::Service(Registry& registry) : context_(registry.context) {
  finished_kind_ = registry.control_message([this](const ControlMessage& m) { finished(m.as<Finished>().run); });
  registry.on_stop([this] {
    for (auto& [_, entry] : streams_) halt(entry, State::Stopped);
  });
  if (!context_) return;
  context_->interfaces().listen([this](Interfaces::Event event, const InterfaceEntry& e, const InterfaceAddress*) {
    if (event == Interfaces::Event::Deleted) interface_deleted(e.index);
  });
}

void Service::offer(Api& api) {
  api.service("sluice.pg.Pg")
      .unary("Create", this, &Service::create)
      .unary("Delete", this, &Service::remove)
      .unary("Start", this, &Service::start)
      .unary("Stop", this, &Service::stop)
      .stream("Show", this, &Service::show);
  api.kind("packet-generator", "a packet stream", [this](const KindQuery&) {
    std::vector<Candidate> names;
    for (const auto& [name, entry] : streams_) names.emplace_back(name, source_of(entry.spec));
    return names;
  });
}

StatusOr<std::shared_ptr<const Packets>> Service::packets_of(const Stream& spec) const {
  if (spec.pcap().empty() == spec.stream().empty()) {
    return refused("stream {}: give either a description (stream …) or a capture (pcap FILE)", spec.name());
  }
  if (spec.pcap().empty()) {
    auto made = parse_stream(spec.stream(), spec.size());
    if (!made.ok()) return made.status();
    return std::shared_ptr<const Packets>(std::move(*made));
  }
  if (!spec.size().empty()) return refused("size {}: the packets of a capture have sizes of their own", spec.size());
  auto read = Capture::read(spec.pcap());
  if (!read.ok()) return read.status();
  return std::shared_ptr<const Packets>(std::move(*read));
}

StatusOr<Service::Target> Service::target_of(const Stream& spec, const Packets& packets) const {
  if (spec.interface().empty() == spec.out().empty() || (!spec.node().empty() && spec.interface().empty())) {
    return refused("stream {}: give interface NAME, node NODE interface NAME, or out NAME", spec.name());
  }
  const std::string& name = spec.out().empty() ? spec.interface() : spec.out();
  const InterfaceEntry* interface = context_->interfaces().find(name);
  if (!interface) return not_found("interface {} does not exist; show interface lists them", name);
  if (spec.node().empty() && interface->link != packets.link) {
    return refused("stream {}: interface {} carries {}, the stream has {}", spec.name(), name,
                   link_name(interface->link), link_name(packets.link));
  }
  Target target;
  (spec.out().empty() ? target.receives : target.sends) = interface->index;
  const std::string node = !spec.out().empty()    ? std::string("interface-output")
                           : !spec.node().empty() ? spec.node()
                                                  : interface->driver + "-input";
  target.node = context_->graph().find(node);
  if (!target.node.valid()) return not_found("node {} does not exist; show graph lists them", node);
  // What stands behind interface-output relies on its check, and that on the interface out.
  if (spec.out().empty() && !context_->graph().node(target.node).description.entry) {
    return refused("stream {}: node {} relies on what nodes before it have done; packets may begin at {}", spec.name(),
                   node, entries(context_->graph()));
  }
  return target;
}

Status Service::create(const Stream& request, Done& done, CallContext& call) {
  if (const auto it = streams_.find(request.name()); it != streams_.end()) {
    const std::string change = differences(it->second.spec, request);
    if (!change.empty()) {
      return exists("stream {} exists and is different: {}; delete it first", request.name(), change);
    }
    done.set_unchanged(true);
    return {};
  }
  if (streams_.size() == kMostStreams) {
    return exhausted("stream {}: there are {}, the most; delete one", request.name(), kMostStreams);
  }
  auto packets = packets_of(request);
  if (!packets.ok()) return packets.status();
  if (const auto target = target_of(request, **packets); !target.ok()) return target.status();
  if (request.worker() >= context_->workers()) {
    return refused("worker {}: there are workers 0 to {}", request.worker(), context_->workers() - 1);
  }
  if (call.dry_run()) return {};
  Entry& entry = streams_[request.name()];
  entry.spec = request;
  entry.packets = std::move(*packets);
  return {};
}

Status Service::remove(const StreamName& request, Done&, CallContext& call) {
  const auto it = streams_.find(request.name());
  if (it == streams_.end()) return not_found("there is no stream {}; show packet-generator lists them", request.name());
  if (call.dry_run()) return {};
  halt(it->second, State::Stopped);
  streams_.erase(it);
  return {};
}

StatusOr<std::vector<Service::Entry*>> Service::select(const std::string& name) {
  std::vector<Entry*> entries;
  for (auto& [key, entry] : streams_) {
    if (name.empty() || key == name) entries.push_back(&entry);
  }
  if (entries.empty()) {
    return name.empty() ? not_found("there is no stream; make one with create packet-generator")
                        : not_found("there is no stream {}; show packet-generator lists them", name);
  }
  return entries;
}

Status Service::start(const StreamSelection& request, Done& done, CallContext& call) {
  const auto entries = select(request.name());
  if (!entries.ok()) return entries.status();
  for (const Entry* entry : *entries) {
    if (const auto target = target_of(entry->spec, *entry->packets); !target.ok()) return target.status();
  }
  if (call.dry_run()) return {};
  std::vector<std::pair<Entry*, Entry>> begun;  // and what they were before
  for (Entry* entry : *entries) {
    if (entry->state == State::Running) continue;
    begun.emplace_back(entry, *entry);
    const auto status = begin(*entry);
    if (status.ok()) continue;
    for (auto& [started, before] : begun) {
      halt(*started, State::Stopped);
      *started = std::move(before);
    }
    return status;
  }
  done.set_unchanged(begun.empty());
  return {};
}

Status Service::begin(Entry& entry) {
  const auto target = target_of(entry.spec, *entry.packets);
  if (!target.ok()) return target.status();
  const std::uint64_t count = entry.spec.count() ? entry.spec.count() : entry.packets->natural_count;
  auto queue = StreamQueue::create(entry.packets, {count, entry.spec.rate()}, target->sends);
  if (!queue.ok()) return queue.status();
  entry.run = ++runs_;
  (*queue)->done_message = ControlMessage::of(finished_kind_, Finished{entry.run});
  if (auto status =
          context_->add_rx_queue(**queue, target->receives, target->node, RxMode::Interrupt, entry.spec.worker());
      !status.ok()) {
    return status;
  }
  entry.queue = std::move(*queue);
  entry.interface = target->receives.valid() ? target->receives : target->sends;
  entry.state = State::Running;
  return {};
}

Status Service::stop(const StreamSelection& request, Done& done, CallContext& call) {
  const auto entries = select(request.name());
  if (!entries.ok()) return entries.status();
  if (call.dry_run()) return {};
  bool any = false;
  for (Entry* entry : *entries) {
    any |= entry->state == State::Running;
    halt(*entry, State::Stopped);
  }
  done.set_unchanged(!any);
  return {};
}

void Service::halt(Entry& entry, State state) {
  if (entry.state != State::Running) return;
  entry.state = state;
  // The worker may be in it until the grace period is over.
  context_->remove_rx_queue(*entry.queue, [queue = entry.queue] {});
}

void Service::finished(std::uint32_t run) {
  for (auto& [_, entry] : streams_) {
    if (entry.run == run) halt(entry, State::Done);
  }
}

void Service::interface_deleted(InterfaceIndex index) {
  for (auto& [_, entry] : streams_) {
    if (entry.interface == index) halt(entry, State::Stopped);
  }
}

StreamState Service::message(const Entry& entry) {
  StreamState m;
  m.set_name(entry.spec.name());
  m.set_state(entry.state == State::Running ? "running" : entry.state == State::Done ? "done" : "stopped");
  m.set_target(target_name(entry.spec));
  m.set_count(entry.spec.count() ? entry.spec.count() : entry.packets->natural_count);
  m.set_rate(entry.spec.rate());
  m.set_size(entry.spec.size());
  m.set_worker(entry.spec.worker());
  m.set_source(source_of(entry.spec));
  if (!entry.queue) return m;
  m.set_sent(entry.queue->sent.get());
  m.set_bytes(entry.queue->bytes.get());
  m.set_no_buffers(entry.queue->no_buffers.get());
  const std::uint64_t ns = tsc_to_ns(entry.queue->last - entry.queue->began);
  if (ns) m.set_pace(static_cast<std::uint64_t>(static_cast<double>(m.sent()) * 1e9 / static_cast<double>(ns)));
  return m;
}

sluice::Stream<StreamState> Service::show(const StreamSelection& query) {
  std::vector<std::string> names;
  for (const auto& [name, _] : streams_) {
    if (query.name().empty() || query.name() == name) names.push_back(name);
  }
  if (names.empty() && !query.name().empty()) {
    co_yield not_found("there is no stream {}; show packet-generator lists them", query.name());
  }
  for (const std::string& name : names) {
    // Another handler may have deleted it between two replies.
    if (const auto it = streams_.find(name); it != streams_.end()) co_yield message(it->second);
  }
}

}  // namespace sluice::pg
