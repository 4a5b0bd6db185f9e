// SPDX-License-Identifier: Apache-2.0
// What `explain` says of a packet is what real packets meet, for every drop of the IP nodes; and nothing is left of it.
#include "core/scratch_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ip/drop_world.h"

namespace sluice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

struct Unreached {
  std::string_view node, reason, why;
};
constexpr std::string_view kRace = "only when the control thread changes a table while the packet is under way";
constexpr std::string_view kEarlier = "an earlier node has seen to it";
constexpr std::string_view kOthers = "only when other packets wait already";
constexpr std::string_view kHeadroom = "drivers leave 256 bytes in front; what nodes put there is less";
constexpr std::string_view kPool = "depends on the buffers that others leave";
constexpr std::string_view kTime = "only after packets have waited for seconds";
constexpr std::string_view kSegments = "drivers fill a buffer before they begin another";

/// Reasons that one packet cannot meet on its own.
constexpr Unreached kUnreached[] = {
    {"ip4-input", "no-interface", kRace},
    {"ip4-rewrite", "no-adjacency", kRace},
    {"ip4-rewrite", "no-headroom", kHeadroom},
    {"ip4-arp", "queue-full", kOthers},
    {"ip4-fragment", "short-head", kSegments},
    {"ip4-fragment", "no-buffers", kPool},
    {"ip4-icmp-error", "reassembly-timeout", kTime},
    {"ip4-icmp-error", "other-error", "no node asks for another ICMP error than those with a name"},
    {"ip4-icmp-error", "truncated", kEarlier},
    {"ip4-punt", "no-headroom", kHeadroom},
    {"ip4-reassembly", "duplicate", kOthers},
    {"ip4-reassembly", "overlap", kOthers},
    {"ip4-reassembly", "too-many", kOthers},
    {"ip6-input", "no-interface", kRace},
    {"ip6-rewrite", "no-adjacency", kRace},
    {"ip6-rewrite", "no-headroom", kHeadroom},
    {"ip6-nd", "queue-full", kOthers},
    {"ip6-fragment", "short-head", kSegments},
    {"ip6-fragment", "no-headroom", kHeadroom},
    {"ip6-fragment", "no-buffers", kPool},
    {"ip6-icmp-error", "reassembly-timeout", kTime},
    {"ip6-icmp-error", "truncated", kEarlier},
    {"ip6-punt", "no-headroom", kHeadroom},
    {"ip6-reassembly", "bad-headers", kEarlier},
    {"ip6-reassembly", "duplicate", kOthers},
    {"ip6-reassembly", "overlap", kOthers},
    {"ip6-reassembly", "too-many", kOthers},
    {"arp-input", "no-interface", kRace},
    {"ethernet-input", "no-interface", kRace},
    {"vlan-output", "truncated", kEarlier},
    {"vlan-output", "no-headroom", kHeadroom},
};

std::vector<Fate> drops() {
  std::vector<Fate> all;
  for (const auto& part : {link_drops(), ip4_drops(), ip4_local_drops(), ip6_drops(), ip6_local_drops()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// What becomes of packets that nobody drops. Their bytes are those of no drop's test.
std::vector<Fate> ways() {
  const auto pod = [](std::string_view to, std::size_t bytes = 8) { return from_pod4(to, udp(1, 53, payload(bytes))); };
  const auto host = [](DropWorld& w) { w.ip.punt.update([&](PuntTarget& t) { t = {w.host, false, {}}; }); };
  const ArpHeader asked{be16(ArpHeader::kEthernet),
                        be16(kEthertypeIp4),
                        6,
                        4,
                        be16(ArpHeader::kRequest),
                        mac("02::9"),
                        ip4("192.0.2.9"),
                        {},
                        ip4("192.0.2.2")};
  ArpHeader told = asked;
  told.operation = be16(ArpHeader::kReply);
  const Bytes echo = icmp(kIcmpEcho, 0, payload(56));
  const Bytes solicited = wire(NeighborMessage{kIcmp6NeighborSolicitation, 0, be16{}, be32{}, ip6("2001:db8::2")});
  return {
      {"", "to a pod", 'a', pod("10.1.0.6")},
      {"", "to a pod, IPv6", 'a', from_pod6("fd00::6", kIpProtocolUdp, payload(8))},
      {"", "to a known neighbour", 'a', pod("192.0.2.1")},
      {"", "to an unknown neighbour", 'a', pod("192.0.2.7")},
      {"", "to an unknown neighbour, IPv6", 'a', from_pod6("2001:db8::7", kIpProtocolUdp, payload(8))},
      {"", "in fragments", 'a', pod("10.1.0.6", 3000)},
      {"", "to this node", 'a', ip4_packet("10.1.0.5", "192.0.2.2", kIpProtocolIcmp, echo)},
      {"", "to the host", 'a', pod("192.0.2.2"), host},
      {"", "a fragment for this node", 'a', from_pod4("192.0.2.2", payload(16), 64, 0x2000)},
      {"", "an ARP request", 'e', frame(wire(asked), kEthertypeArp)},
      {"", "an ARP reply", 'e', frame(wire(told), kEthertypeArp)},
      {"", "a solicitation", 'e', frame(icmp6_packet("2001:db8::9", "2001:db8::2", solicited, 255), kEthertypeIp6)},
  };
}

/// A step as far as it depends on the packet alone.
class StepText final : public FieldSink {
 public:
  static std::string of(const Graph& graph, const TraceStep& step) {
    StepText sink;
    sink.text_ =
        fmt::format("{} {} {:x} {:x} {}:", graph.node(step.node).description.name, graph.verdict(step.node, step.code),
                    step.rx_interface.value, step.tx_interface.value, step.length);
    graph.node(step.node).description.describe(step.payload.data(), sink);
    return sink.text_;
  }
  void number(std::string_view name, std::uint64_t value) override { text(name, std::to_string(value)); }
  void text(std::string_view name, std::string_view value) override { text_ += fmt::format(" {} {}", name, value); }
  void interface(std::string_view name, InterfaceIndex value) override { number(name, value.value); }

 private:
  std::string text_;
};

std::vector<std::string> texts(const Graph& graph, std::span<const TraceStep> steps) {
  std::vector<std::string> all;
  for (const TraceStep& step : steps) all.push_back(StepText::of(graph, step));
  return all;
}

/// "ip4-lookup blackhole", of the first step that drops.
std::string first_drop(const Graph& graph, std::span<const TraceStep> steps) {
  for (const TraceStep& step : steps) {
    if (step.code & kVerdictDropBit)
      return graph.node(step.node).description.name + graph.verdict(step.node, step.code).substr(4);
  }
  return "none";
}

/// Everything of a node that a packet could change.
std::vector<std::uint64_t> state_of(DropWorld& w) {
  std::vector<std::uint64_t> all;
  Worker& worker = w.world.worker();
  for (std::uint32_t i = 0; i < w.world.graph().nodes().size(); ++i) {
    const NodeRuntime& node = worker.graph().node(NodeIndex{i});
    for (const Counter* c : {&node.calls, &node.packets, &node.cycles}) all.push_back(c->get());
    for (const auto* counters : {&node.next_packets, &node.drop_packets, &node.event_counts}) {
      for (const Counter& c : *counters) all.push_back(c.get());
    }
  }
  for (std::uint32_t slot = 0; slot < w.world.interfaces.get().slots.size(); ++slot) {
    for (const Counter& c : worker.counters(slot).value) all.push_back(c.get());
  }
  for (const Counter* c : {&worker.lost_messages, &worker.lost_handoffs, &worker.graph().overrun})
    all.push_back(c->get());
  all.insert(all.end(), {worker.messages().empty(), worker.has_hand_offs(), worker.drops().read().size(),
                         worker.graph().held(), w.queue.sent.size(), w.ip.tables.forwarding.size()});
  worker.buffers().publish_count();
  all.push_back(w.world.pool().usage().used);
  return all;
}

/// Lets a worker's packet be traced, and says where to.
std::shared_ptr<const TraceRequest> trace(DropWorld& w, Packet& packet) {
  auto request = std::make_shared<TraceRequest>();
  request->node = w.world.graph().find(DropWorld::kInput);
  request->at_input = true;
  request->remaining = 1;
  request->buffers.push_back(std::make_unique<TraceBuffer>(1));
  auto state = std::make_unique<TraceState>();
  state->requests.push_back(request);
  w.world.trace.publish(std::move(state));
  w.world.worker().begin_pass();
  Packet* first = &packet;
  w.world.worker().trace_start(request->node, std::span<Packet* const>(&first, 1), true);
  return request;
}

WorkerShared shared(DropWorld& w) {
  return {w.world.pool(), w.world.graph(), w.world.interfaces, w.world.features,
          w.world.tx,     w.world.trace,   w.world.capture};
}

using SentLengths = std::vector<std::pair<InterfaceIndex, std::uint32_t>>;

/// Explains the packet, then lets it come in, and compares.
void check(const Fate& fate) {
  SCOPED_TRACE(fmt::format("{} {}", fate.node, fate.reason));
  DropWorld w;
  if (fate.setup) fate.setup(w);
  const InterfaceIndex in = w.of(fate.from);
  const NodeIndex input = w.world.graph().find(DropWorld::kInput);
  const auto before = state_of(w);
  std::vector<std::string> explained;
  SentLengths would_be_sent;
  {
    ScratchRun scratch(w.rcu, shared(w));
    Packet* packet = scratch.make(fate.packet);
    ASSERT_NE(packet, nullptr);
    if (fate.prepare) fate.prepare(*packet);
    scratch.run(in, input, packet);
    EXPECT_EQ(first_drop(w.world.graph(), scratch.steps()), fate.node.empty() ? "none" : fate.node + " " + fate.reason);
    EXPECT_FALSE(scratch.cut());
    explained = texts(w.world.graph(), scratch.steps());
    for (const auto& sent : scratch.sent()) would_be_sent.emplace_back(sent.interface, sent.length);
  }
  EXPECT_EQ(state_of(w), before) << "explaining has changed something";

  Packet* packet = w.world.make(fate.packet);
  packet->rx_interface = in;
  if (fate.prepare) fate.prepare(*packet);
  const auto traced = trace(w, *packet);
  w.give(in, packet);
  w.run();
  const TraceBuffer::Slot& real = traced->buffers[0]->slot(0);
  EXPECT_EQ(explained, texts(w.world.graph(), std::span(real.step).first(real.steps)));
  EXPECT_EQ(would_be_sent, w.queue.sent);
  if (!fate.node.empty()) {
    EXPECT_EQ(w.drops(fate.node, fate.reason), 1u);
  }
}

TEST(Explained, EveryDropOfTheIpNodesHasACaseOrAReasonWhyItHasNone) {
  DropWorld w;
  std::set<std::pair<std::string, std::string>> cases, unreached;
  for (const Fate& fate : drops()) cases.emplace(fate.node, fate.reason);
  for (const Unreached& u : kUnreached) unreached.emplace(u.node, u.reason);
  const auto has_prefix = [](const std::string& name) {
    const auto prefixes = {"ip4-", "ip6-", "arp-", "ethernet-", "interface-", "vlan-"};
    return std::any_of(prefixes.begin(), prefixes.end(), [&](const char* prefix) { return name.starts_with(prefix); });
  };
  std::size_t reasons = 0;
  for (const Graph::Node& node : w.world.graph().nodes()) {
    if (!has_prefix(node.description.name)) continue;
    for (const std::string& reason : node.description.drops) {
      ++reasons;
      const std::pair name(node.description.name, reason);
      EXPECT_NE(cases.contains(name), unreached.contains(name))
          << node.description.name << " " << reason << ": give a packet that meets it, or say why none can, not both";
    }
  }
  EXPECT_GT(reasons, 100u);
  for (const auto& [node, reason] : unreached) {
    const NodeIndex index = w.world.graph().find(node);
    ASSERT_TRUE(index.valid()) << node;
    const auto& all = w.world.graph().node(index).description.drops;
    EXPECT_NE(std::find(all.begin(), all.end(), reason), all.end()) << node << " has no reason " << reason;
  }
}

TEST(Explained, APacketMeetsTheDropThatARealOneMeets) {
  for (const Fate& fate : drops()) check(fate);
}

TEST(Explained, APacketThatIsNotDroppedTakesTheWayOfARealOne) {
  for (const Fate& fate : ways()) check(fate);
}

TEST(Explained, AnswersBelongToTheNodeAndPacketsToTheirSource) {
  DropWorld w;
  const auto made_here = [&](char from, const Bytes& bytes) {
    ScratchRun scratch(w.rcu, shared(w));
    scratch.run(w.of(from), w.world.graph().find(DropWorld::kInput), scratch.make(bytes));
    EXPECT_EQ(scratch.sent().size(), 1u);
    return !scratch.sent().empty() && scratch.sent()[0].made_here;
  };
  EXPECT_FALSE(made_here('a', from_pod4("10.1.0.6", payload(8))));
  EXPECT_TRUE(made_here('a', from_pod4("10.1.0.6", payload(8), 1)));
  EXPECT_TRUE(made_here('a', from_pod4("8.8.8.8", payload(8))));
}

TEST(Explained, OfALongWayTheBeginningIsKept) {
  DropWorld w;
  w.change(w.b, [](InterfaceState& s) { s.mtu = 68; });
  ScratchRun scratch(w.rcu, shared(w));
  scratch.run(w.a, w.world.graph().find(DropWorld::kInput), scratch.make(from_pod4("10.1.0.6", payload(100 * 48))));
  EXPECT_TRUE(scratch.cut());
  EXPECT_EQ(scratch.steps().size(), TraceBuffer::kMaxSteps);
  EXPECT_EQ(scratch.sent_packets(), 100u);
  EXPECT_EQ(scratch.sent().size(), ScratchRun::kKeptPackets);
  EXPECT_TRUE(scratch.holders().empty());
}

TEST(Explained, WhatWaitsIsNamedAndGoesWithTheRun) {
  DropWorld w;
  {
    ScratchRun scratch(w.rcu, shared(w));
    scratch.run(w.a, w.world.graph().find(DropWorld::kInput), scratch.make(from_pod4("192.0.2.7", payload(8))));
    EXPECT_EQ(scratch.holders(), std::vector{w.world.graph().find("ip4-arp")});
  }
  EXPECT_EQ(w.world.worker().graph().held(), 0u);
  EXPECT_TRUE(w.messages().empty()) << "nobody is asked for";
}

}  // namespace
}  // namespace sluice
