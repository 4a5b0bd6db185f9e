// SPDX-License-Identifier: Apache-2.0
#include "ip/drop_world.h"

namespace sluice::testing {

DropWorld::DropWorld(const std::function<void(Registry&)>& more)
    : IpPath([&](Registry& registry) {
        registry.driver("memory");
        registry.node<TestTaker>();
        if (more) more(registry);
      }) {
  output = kOutput;
  a = bound(tun());
  b = bound(tun(1400));
  eth = bound(ethernet_interface("02::1"));
  host = bound(tun());
  own4(eth, "192.0.2.2", 24);
  own6(eth, "2001:db8::2", 64);
  route4("10.1.0.5/32", add(ForwardingKind::Adjacency, a));
  route4("10.1.0.6/32", add(ForwardingKind::Adjacency, b));
  route4("192.0.2.0/24", add(ForwardingKind::Connected, eth));
  route4("192.0.2.1/32", add(ForwardingKind::Adjacency, eth, frame({}, kEthertypeIp4)));
  route4("203.0.113.0/24", add(ForwardingKind::Blackhole));
  route4("198.51.100.0/25", add(ForwardingKind::Unreachable));
  route4("198.51.100.128/25", add(ForwardingKind::Prohibit));
  route6("fd00::5/128", add(ForwardingKind::Adjacency, a));
  route6("fd00::6/128", add(ForwardingKind::Adjacency, b));
  route6("2001:db8::/64", add(ForwardingKind::Connected, eth));
  route6("2001:db8:b::/48", add(ForwardingKind::Blackhole));
  route6("2001:db8:a::/48", add(ForwardingKind::Unreachable));
  route6("2001:db8:c::/48", add(ForwardingKind::Prohibit));
  const auto direct = add(ForwardingKind::Connected, eth);
  ip.tables.links.update([&](LinkTable& t) {
    t.by_slot.resize(eth.slot() + 1);
    t.by_slot[eth.slot()] = {direct, {ip6("fe80::1")}};
  });
  ip.local.update([&](LocalTable& t) {
    const auto taker = static_cast<std::uint16_t>(world.graph().find("test-taker").value);
    t.ip4.udp = t.ip6.udp = {{4789, taker}};
  });
}

InterfaceIndex DropWorld::bound(InterfaceIndex interface) {
  world.tx.update([&](TxBindings& t) {
    auto& slots = t.by_worker[0];
    if (slots.size() <= interface.slot()) slots.resize(interface.slot() + 1);
    slots[interface.slot()] = {&queue, 0};
  });
  return interface;
}

void DropWorld::change(InterfaceIndex interface, const std::function<void(InterfaceState&)>& how) {
  world.interfaces.update([&](InterfaceTable& t) { how(t.slots[interface.slot()]); });
}

void DropWorld::give(InterfaceIndex in, Packet* packet) {
  packet->rx_interface = in;
  world.worker().graph().enqueue(world.worker(), world.graph().find(kInput), std::span<Packet* const>(&packet, 1));
}

Bytes frame(const Bytes& body, std::uint16_t type, std::string_view to) { return ethernet(to, "02::9", type, body); }

Bytes from_pod4(std::string_view destination, const Bytes& body, std::uint8_t ttl, std::uint16_t fragment) {
  return ip4_packet("10.1.0.5", destination, kIpProtocolUdp, body, ttl, fragment);
}

Bytes from_pod6(std::string_view destination, std::uint8_t next, const Bytes& body, std::uint8_t hops) {
  return ip6_packet("fd00::5", destination, next, body, hops);
}

std::function<void(Packet&)> checksum_at(std::uint16_t start, std::uint16_t offset) {
  return [=](Packet& packet) {
    packet.flags |= kChecksumPartial;
    packet.checksum_start = static_cast<std::uint16_t>(packet.offset() + start);
    packet.checksum_offset = offset;
  };
}

}  // namespace sluice::testing
