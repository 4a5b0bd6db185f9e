// SPDX-License-Identifier: Apache-2.0
// The IP layer's whole graph between interfaces that remember what leaves by them.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "interface/offload_nodes.h"
#include "ip/nodes.h"
#include "ip/test_packets.h"
#include "sluice/registry.h"

namespace sluice::testing {

struct Sent {
  std::map<std::uint32_t, std::vector<Bytes>> by_interface;  // by slot
};

struct TestOutput {
  static constexpr NodeInfo kInfo{"test-output", "remembers what leaves"};
  enum class Next : std::uint8_t {};
  enum class Drop : std::uint8_t { Done };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return "the test has seen it"; }
  Sent& sent;
  Verdict operator()(Packet& packet, Worker&, Trace*) const noexcept {
    sent.by_interface[packet.tx_interface.slot()].push_back(TestWorld::bytes_of(packet));
    return Drop::Done;
  }
};

/// Graph tests: interfaces, routes, packets in, packets out.
struct IpPath {
  Rcu rcu;
  IpState ip{rcu};
  Fib<Ip4Address> fib4{ip.tables.nodes4};
  Fib<Ip6Address> fib6{ip.tables.nodes6};
  Sent sent;
  std::string output = "test-output";  // where new interfaces send
  TestWorld world;

  /// more registers other nodes.
  explicit IpPath(const std::function<void(Registry&)>& more = {})
      : world([&](Registry& registry) {
          register_ip_nodes(registry, ip);
          register_offload_nodes(registry);
          registry.node<TestOutput>(sent);
          if (more) more(registry);
          ip.neighbor_wanted = registry.control_message([](const ControlMessage&) {});
          ip.neighbor_seen = registry.control_message([](const ControlMessage&) {});
          ip.address_conflict = registry.control_message([](const ControlMessage&) {});
        }) {
    ip.tables.ip4.set(TableIndex{0}, &fib4);
    ip.tables.ip6.set(TableIndex{0}, &fib6);
  }
  ~IpPath() { rcu.drain(); }

  InterfaceIndex tun(std::uint32_t mtu = 1500) {
    return world.add_interface([&](InterfaceState& s) {
      s.link = LinkLayer::Ip;
      s.mtu = mtu;
      s.output_node = world.graph().find(output);
    });
  }
  InterfaceIndex ethernet_interface(std::string_view address, std::uint32_t mtu = 1500) {
    return world.add_interface([&](InterfaceState& s) {
      s.mac = mac(address);
      s.mtu = mtu;
      s.output_node = world.graph().find(output);
    });
  }
  ForwardingIndex add(ForwardingKind kind, InterfaceIndex interface = {}, const Bytes& rewrite = {}) {
    Forwarding object;
    object.kind = kind;
    object.interface = interface;
    object.rewrite_length = static_cast<std::uint8_t>(rewrite.size());
    std::copy(rewrite.begin(), rewrite.end(), object.rewrite.begin());
    return *ip.tables.forwarding.add(std::move(object));
  }
  void route4(std::string_view prefix, ForwardingIndex target) {
    EXPECT_TRUE(fib4.set(*Prefix<Ip4Address>::parse(prefix), target).ok());
  }
  void route6(std::string_view prefix, ForwardingIndex target) {
    EXPECT_TRUE(fib6.set(*Prefix<Ip6Address>::parse(prefix), target).ok());
  }
  /// An own address: known to ARP, ND and source choice, and routed to this node.
  void own4(InterfaceIndex interface, std::string_view address, std::uint8_t length) {
    ip.addresses.update([&](AddressTable& t) {
      if (t.by_slot.size() <= interface.slot()) t.by_slot.resize(interface.slot() + 1);
      t.by_slot[interface.slot()].ip4.push_back({ip4(address), length, false});
      t.fallback4 = ip4(address);
    });
    route4(std::string(address) + "/32", add(ForwardingKind::Local));
  }
  void own6(InterfaceIndex interface, std::string_view address, std::uint8_t length) {
    ip.addresses.update([&](AddressTable& t) {
      if (t.by_slot.size() <= interface.slot()) t.by_slot.resize(interface.slot() + 1);
      t.by_slot[interface.slot()].ip6.push_back({ip6(address), length, false});
      t.fallback6 = ip6(address);
    });
    route6(std::string(address) + "/128", add(ForwardingKind::Local));
  }
  /// Gives a packet to a node as if it had come in by the interface, and runs the graph.
  void receive(InterfaceIndex interface, std::string_view node, const Bytes& bytes, std::uint32_t flags = 0) {
    Packet* packet = world.make(bytes);
    packet->rx_interface = interface;
    packet->flags |= flags;
    packet->l2_offset = packet->l3_offset = packet->offset();
    world.worker().graph().enqueue(world.worker(), world.graph().find(node), std::span<Packet* const>(&packet, 1));
    run();
  }
  void run() {
    world.worker().begin_pass();
    world.worker().graph().run(world.worker());
  }
  /// What waits may look again.
  void release() {
    world.worker().begin_pass();
    world.worker().graph().release_held(world.worker());
    world.worker().graph().run(world.worker());
  }
  std::vector<Bytes> take(InterfaceIndex interface) { return std::move(sent.by_interface[interface.slot()]); }
  /// How often a node dropped for a reason.
  std::uint64_t drops(std::string_view node, std::string_view reason) {
    const NodeIndex index = world.graph().find(node);
    const auto& names = world.graph().node(index).description.drops;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == reason) return world.worker().graph().node(index).drop_packets[i].get();
    }
    ADD_FAILURE() << node << " has no reason " << reason;
    return 0;
  }
  /// The messages to the control thread so far.
  std::vector<ControlMessage> messages() {
    std::vector<ControlMessage> all;
    ControlMessage message;
    while (world.worker().messages().pop(message)) all.push_back(message);
    return all;
  }
};

}  // namespace sluice::testing
