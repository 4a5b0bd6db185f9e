// SPDX-License-Identifier: Apache-2.0
// Fused chains mean what the separate nodes mean: the same packets go both ways, and bytes, counters and fates are
// compared.
#include "sluice/chain.h"

#include <random>

#include "ip/arp_input.h"
#include "ip/drop_world.h"
#include "ip/ip4_icmp_error.h"
#include "ip/ip6_icmp_error.h"
#include "ip/ip6_nd_input.h"
#include "sluice/kernels/interface_output.h"
#include "sluice/kernels/ip4_rewrite.h"

namespace sluice::testing {
namespace {

using Random = std::mt19937_64;

constexpr char kIp4Unicast[] = "ip4-unicast", kIp6Unicast[] = "ip6-unicast", kIp4Output[] = "ip4-output",
               kInterfaceOutput[] = "interface-output";

unsigned last_byte(const Packet& packet) { return std::to_integer<unsigned>(packet.data[packet.length - 1u]); }

/// Drops some, changes all.
template <const char* Name, const char* Arc, unsigned Which>
struct Mark {
  static constexpr NodeInfo kInfo{Name, "marks packets and drops some"};
  static constexpr FeatureInfo kFeature{.arc = Arc};
  enum class Next : std::uint8_t { TestOutput, Continue };
  enum class Drop : std::uint8_t { Marked };
  enum class Count : std::uint8_t { Seen };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test wants it"; }
  Verdict operator()(Packet& packet, Worker& worker, Trace*) const noexcept {
    worker.count(Count::Seen);
    packet.data[1] ^= std::byte{Which};
    if (last_byte(packet) % 16 == Which) return Drop::Marked;
    if (last_byte(packet) % 16 == Which + 1) return Next::TestOutput;
    return Next::Continue;
  }
};
/// Cannot be run in a chain: it may make packets.
struct Maker {
  static constexpr NodeInfo kInfo{"maker", "may make packets"};
  static constexpr FeatureInfo kFeature{.arc = kIp4Unicast};
  enum class Next : std::uint8_t { Continue, Ip4Lookup };
  enum class Drop : std::uint8_t {};
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return ""; }
  Verdict operator()(Packet& packet, Worker&, Trace*, Out<Maker>& out) const noexcept {
    if (last_byte(packet) % 16 != 9 || packet.next_segment) return Next::Continue;
    Packet* twin = out.alloc();
    if (!twin) return Next::Continue;
    twin->trim(packet.length);
    std::memcpy(twin->data, packet.data, packet.length);
    twin->data[15] ^= std::byte{0x55};  // a source of its own: it is not bound to the original's place
    twin->rx_interface = packet.rx_interface;
    twin->table = packet.table;
    twin->l3_offset = packet.l3_offset;
    twin->l4_offset = packet.l4_offset;
    out.emit(*twin, Next::Ip4Lookup);
    return Next::Continue;
  }
};
constexpr char kMarkA[] = "mark-a", kMarkB[] = "mark-b", kMark6[] = "mark-6", kMarkOut[] = "mark-out",
               kMarkLast[] = "mark-last";
constexpr std::array<std::pair<const char*, const char*>, 6> kFeatures{{{kIp4Unicast, kMarkA},
                                                                        {kIp4Unicast, kMarkB},
                                                                        {kIp4Unicast, "maker"},
                                                                        {kIp6Unicast, kMark6},
                                                                        {kIp4Output, kMarkOut},
                                                                        {kInterfaceOutput, kMarkLast}}};

/// Bit f of on[slot]: that interface has kFeatures[f].
using Enabled = std::array<unsigned, 4>;

struct Way : DropWorld {
  struct Recording final : TxQueue {
    // By interfaces and addresses. A flow's packets come by one interface.
    std::map<std::string, std::vector<Bytes>> flows;
    std::size_t transmit(Worker& worker, std::span<Packet* const> packets) noexcept override {
      for (Packet* packet : packets) {
        Bytes bytes = TestWorld::bytes_of(*packet);
        const std::size_t l3 = packet->l3_offset >= packet->offset() ? packet->l3_offset - packet->offset() : 0u;
        const bool ip6 = l3 < bytes.size() && bytes[l3] >> 4 == 6;
        const std::size_t at = l3 + (ip6 ? 8 : 12), size = ip6 ? 32 : 8;
        std::string key = fmt::format("{} to {}: ", packet->rx_interface.slot(), packet->tx_interface.slot());
        if (at + size <= bytes.size()) key.append(reinterpret_cast<const char*>(bytes.data()) + at, size);
        // Errors about packets that took different ways have no order among them, nor has the number that they are
        // given.
        if (packet->has(kLocal)) {
          key = "own";
          if (!ip6 && at <= bytes.size()) bytes[l3 + 4] = bytes[l3 + 5] = bytes[l3 + 10] = bytes[l3 + 11] = 0;
        }
        flows[key].push_back(std::move(bytes));
        worker.buffers().free(packet);
      }
      return packets.size();
    }
  };
  Recording out;

  explicit Way(bool fused)
      : DropWorld([](Registry& registry) {
          registry.feature<Mark<kMarkA, kIp4Unicast, 2>>();
          registry.feature<Mark<kMarkB, kIp4Unicast, 4>>();
          registry.feature<Maker>();
          registry.feature<Mark<kMark6, kIp6Unicast, 2>>();
          registry.feature<Mark<kMarkOut, kIp4Output, 6>>();
          registry.feature<Mark<kMarkLast, kInterfaceOutput, 11>>();
        }) {
    world.tx.update([&](TxBindings& t) {
      for (TxBinding& binding : t.by_worker[0]) binding.queue = &out;
    });
    world.worker().graph().use_chains(fused);
    for (const auto& [from, to] : {std::pair{"10.2.0.1/32", a}, {"10.2.0.2/32", b}}) {
      group_.push_back(add(ForwardingKind::Adjacency, to));
      route4(from, group_.back());
    }
    Forwarding group;
    group.kind = ForwardingKind::Group;
    group.group_size = 2;
    group.members = std::make_unique<ForwardingIndex[]>(2);
    std::copy(group_.begin(), group_.end(), group.members.get());
    route4("10.3.0.0/16", *ip.tables.forwarding.add(std::move(group)));
  }

  void enable(const Enabled& on) {
    world.features.update([&](FeatureChains& chains) {
      chains = {};
      const auto& arcs = world.graph().arcs();
      chains.start.resize(arcs.size());
      for (std::size_t slot = 0; slot < on.size(); ++slot) {
        for (std::size_t arc = 0; arc < arcs.size(); ++arc) put(chains, arc, slot, on[slot]);
      }
    });
  }
  /// What earlier packets have left to wait, and what limits rates, is as at the start.
  void calm() {
    world.worker().graph().flush_held(world.worker());
    messages();
    kernel<Ip4IcmpError>("ip4-icmp-error").bucket = TokenBucket(2000, 256);
    kernel<Ip6IcmpError>("ip6-icmp-error").bucket = TokenBucket(2000, 256);
    kernel<ArpInput>("arp-input").reports = TokenBucket(5000, 512);
    kernel<Ip6NdInput>("ip6-nd-input").reports = TokenBucket(5000, 512);
    out.flows.clear();
  }
  /// Of every node and interface, in words.
  std::map<std::string, std::uint64_t> counts() {
    std::map<std::string, std::uint64_t> all;
    const GraphRuntime& graph = world.worker().graph();
    for (std::uint32_t i = 0; i < world.graph().nodes().size(); ++i) {
      const NodeRuntime& node = graph.node(NodeIndex{i});
      const NodeDescription& d = world.graph().nodes()[i].description;
      all[d.name + " packets"] = node.packets.get();
      const auto put = [&](const auto& names, const auto& counters) {
        for (std::size_t c = 0; c < names.size(); ++c) all[d.name + " " + names[c]] = counters[c].get();
      };
      put(d.nexts, node.next_packets);
      put(d.drops, node.drop_packets);
      put(d.events, node.event_counts);
    }
    for (std::uint32_t slot = 0; slot < 4; ++slot) {
      for (std::size_t c = 0; c < kInterfaceCounters; ++c) {
        all["interface " + std::to_string(slot) + " counter " + std::to_string(c)] =
            world.worker().counters(slot).value[c].get();
      }
    }
    all["overrun"] = graph.overrun.get();
    return all;
  }
  std::uint64_t fused() {
    return world.worker().graph().chain(0).packets.get() + world.worker().graph().chain(1).packets.get();
  }

 private:
  template <class K>
  K& kernel(std::string_view name) {
    return *static_cast<K*>(world.worker().graph().node(world.graph().find(name)).kernel);
  }
  void put(FeatureChains& chains, std::size_t arc, std::size_t slot, unsigned on) {
    const auto first = static_cast<std::uint16_t>(chains.nodes.size());
    for (const NodeIndex feature : world.graph().arcs()[arc].features) {
      for (std::size_t f = 0; f < kFeatures.size(); ++f) {
        if ((on >> f & 1) && world.graph().node(feature).description.name == kFeatures[f].second)
          chains.nodes.push_back(static_cast<std::uint16_t>(feature.value));
      }
    }
    if (chains.nodes.size() == first) return;
    chains.nodes.push_back(FeatureChains::kEnd);
    auto& start = chains.start[arc];
    if (start.size() <= slot) start.resize(slot + 1);
    start[slot] = first;
  }

  std::vector<ForwardingIndex> group_;
};

/// Makes packets of every kind.
struct Source {
  Random random{7};
  std::vector<Fate> fates;
  std::uint32_t made = 0;

  Source() {
    for (auto list : {link_drops(), ip4_drops(), ip4_local_drops(), ip6_drops(), ip6_local_drops()}) {
      for (Fate& fate : list) {
        if (!fate.setup) fates.push_back(std::move(fate));
      }
    }
  }
  std::size_t below(std::size_t end) { return random() % end; }

  Fate good() {
    static constexpr std::array kTo4{"10.1.0.5",  "10.1.0.6",  "192.0.2.1",   "192.0.2.7",    "10.2.0.1", "10.2.0.2",
                                     "10.3.0.77", "192.0.2.2", "203.0.113.9", "198.51.100.1", "8.8.8.8",  "10.3.1.1"};
    static constexpr std::array kTo6{"fd00::5",       "fd00::6",       "2001:db8::7",   "2001:db8::2",
                                     "2001:db8:b::1", "2001:db8:a::1", "2001:db8:c::1", "fd00:9::1"};
    static constexpr std::array<std::size_t, 8> kSizes{4, 4, 20, 20, 64, 64, 1390, 1900};
    Bytes body = udp(static_cast<std::uint16_t>(below(4)), 9, payload(kSizes[below(kSizes.size())]));
    const std::uint32_t number = ++made;
    std::memcpy(body.data() + 8, &number, sizeof number);
    body.back() = static_cast<std::uint8_t>(random());
    const auto hops = static_cast<std::uint8_t>(below(10) ? 64 : below(3));
    const bool ip6 = below(3) == 0, framed = below(2);
    const Bytes packet =
        ip6 ? from_pod6(kTo6[below(kTo6.size())], kIpProtocolUdp, body, hops)
            : from_pod4(kTo4[below(kTo4.size())], body, hops, below(4) ? 0 : static_cast<std::uint16_t>(0x4000));
    return {"", "", framed ? 'e' : 'a', framed ? frame(packet, ip6 ? kEthertypeIp6 : kEthertypeIp4) : packet};
  }
  Fate next() {
    Fate fate = below(3) ? good() : fates[below(fates.size())];
    if (below(6) == 0) fate.packet[below(fate.packet.size())] ^= static_cast<std::uint8_t>(1u << below(8));
    return fate;
  }
};

void give(Way& way, const Fate& fate) {
  Packet* packet = way.world.make(fate.packet);
  if (fate.prepare) fate.prepare(*packet);
  way.give(way.of(fate.from), packet);
}

struct Result {
  std::vector<std::size_t> digests;  ///< of what there was after each round
  std::map<std::string, std::vector<Bytes>> flows;
  std::map<std::string, std::uint64_t> counts;
  std::uint64_t fused = 0;
};

std::size_t digest(const Way& way, const std::map<std::string, std::uint64_t>& counts) {
  std::size_t value = 0;
  const auto mix = [&](std::size_t part) { value = (value ^ part) * 0x9e3779b97f4a7c15; };
  for (const auto& [key, packets] : way.out.flows) {
    mix(std::hash<std::string>()(key));
    for (const Bytes& bytes : packets) {
      mix(std::hash<std::string_view>()({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    }
  }
  for (const auto& [name, count] : counts) mix(count);
  return value;
}

#ifdef SLUICE_DEBUG
constexpr std::size_t kPackets = 100'000;  // with sanitizers each costs some twenty times as much
#else
constexpr std::size_t kPackets = 1'000'000;
#endif

/// Sends the same packets each time, in so many rounds at most. A thread can be in one world only.
Result send(bool fused, std::size_t rounds = ~std::size_t{0}) {
  Way way(fused);
  Source source;
  Result result;
  std::size_t sent = 0;
  for (std::size_t round = 0; sent < kPackets && round < rounds; ++round) {
    if (round % 16 == 0) {
      Enabled on{};
      for (unsigned& features : on) features = source.below(2) ? static_cast<unsigned>(source.below(64)) : 0;
      way.enable(on);
    }
    way.calm();
    const std::size_t n = 1 + source.below(kVectorMax);
    const bool alike = source.below(2);  // as after a receive queue: all of one interface
    for (std::size_t i = 0; i < n; ++i) {
      const Fate fate = source.next();
      if (alike && fate.from != (round % 3 ? 'e' : 'a')) continue;
      give(way, fate);
      ++sent;
    }
    way.run();
    std::sort(way.out.flows["own"].begin(), way.out.flows["own"].end());
    result.counts = way.counts();
    result.digests.push_back(digest(way, result.counts));
  }
  result.flows = way.out.flows;
  result.fused = way.fused();
  way.calm();
  return result;
}

TEST(Chain, TreatsRandomPacketsAsTheSeparateNodesDo) {
  const Result fused = send(true), separate = send(false);
  EXPECT_EQ(separate.fused, 0u);
  EXPECT_GT(fused.fused, kPackets / 4);
  const auto differs =
      std::mismatch(fused.digests.begin(), fused.digests.end(), separate.digests.begin(), separate.digests.end());
  if (differs.first == fused.digests.end() && differs.second == separate.digests.end()) return;
  const auto round = static_cast<std::size_t>(differs.first - fused.digests.begin()) + 1;
  const Result one = send(true, round), other = send(false, round);
  EXPECT_EQ(one.flows, other.flows) << "in round " << round;
  EXPECT_EQ(one.counts, other.counts) << "in round " << round;
  FAIL() << "the ways differ in round " << round;
}

TEST(Chain, LetsAVectorWithATracedPacketTakeTheNodesOneByOne) {
  Way way(true);
  auto request = std::make_shared<TraceRequest>();
  request->node = way.world.graph().find("ip4-rewrite");
  request->remaining = 1;
  request->buffers.push_back(std::make_unique<TraceBuffer>(4));
  way.world.trace.update([&](TraceState& state) { state.requests.push_back(request); });
  way.world.worker().begin_pass();
  std::vector<Packet*> packets;
  for (int i = 0; i < 3; ++i) {
    packets.push_back(way.world.make(frame(from_pod4("10.1.0.6", payload(8)), kEthertypeIp4)));
    packets.back()->rx_interface = way.eth;
  }
  packets[1]->flags |= kTraceCandidate;
  way.world.worker().graph().enqueue(way.world.worker(), way.world.graph().find("ethernet-input"), packets);
  way.world.worker().graph().run(way.world.worker());
  EXPECT_EQ(way.fused(), 0u);
  ASSERT_EQ(request->buffers[0]->packets(), 1u);
  std::vector<std::string> nodes;
  const auto& slot = request->buffers[0]->slot(0);
  for (std::uint32_t i = 0; i < slot.steps; ++i)
    nodes.push_back(way.world.graph().node(slot.step[i].node).description.name);
  EXPECT_EQ(nodes, (std::vector<std::string>{"ip4-rewrite", "interface-output", "memory-output"}));
  EXPECT_EQ(way.world.worker().graph().chain(0).traced_packets.get(), 12u) << "three packets at four nodes";
}

TEST(Chain, OvertakesNobodyWhoWaitsAtALaterNode) {
  Way way(true);
  const auto make = [&](std::uint8_t number) {
    Packet* packet = way.world.make(from_pod4("10.1.0.6", {number}));
    packet->rx_interface = way.a;
    return packet;
  };
  Packet* first = make(1);
  first->table = TableIndex{0};
  first->l3_offset = first->offset();
  Packet* second = make(2);
  auto& graph = way.world.worker().graph();
  graph.enqueue(way.world.worker(), way.world.graph().find("ip4-input"), std::span<Packet* const>(&second, 1));
  graph.enqueue(way.world.worker(), way.world.graph().find("ip4-lookup"), std::span<Packet* const>(&first, 1));
  way.run();
  ASSERT_EQ(way.out.flows.size(), 1u);
  const auto& sent = way.out.flows.begin()->second;
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].back(), 1);
  EXPECT_EQ(sent[1].back(), 2);
  EXPECT_EQ(graph.chain(0).behind_packets.get(), 1u);
}

TEST(Chain, FollowsWhatMostPacketsAre) {
  Way way(true);
  const auto six = [&] {
    std::vector<Packet*> packets;
    for (int i = 0; i < 4; ++i) {
      packets.push_back(way.world.make(frame(from_pod6("fd00::6", kIpProtocolUdp, payload(8)), kEthertypeIp6)));
      packets.back()->rx_interface = way.eth;
    }
    auto& graph = way.world.worker().graph();
    graph.enqueue(way.world.worker(), way.world.graph().find("ethernet-input"), packets);
    way.run();
  };
  six();  // begins on IPv4's chain, goes on from ip6-input on its own
  six();
  const auto& graph = way.world.worker().graph();
  EXPECT_EQ(graph.chain(0).packets.get(), 4u);
  EXPECT_EQ(graph.chain(1).packets.get(), 8u);
  EXPECT_EQ(graph.chain(1).calls.get(), 2u);
  EXPECT_EQ(graph.node(way.world.graph().find("ethernet-input")).fused_packets.get(), 8u);
}

TEST(Chain, IsRefusedWhenANodeOfItIsNotThere) {
  Registry registry;
  registry.chain<Ip4Rewrite, InterfaceOutput>();
  const auto graph = Graph::build(registry);
  ASSERT_FALSE(graph.ok());
}

}  // namespace
}  // namespace sluice::testing
