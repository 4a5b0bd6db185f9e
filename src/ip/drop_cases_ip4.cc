// SPDX-License-Identifier: Apache-2.0
// A packet for every drop of the link layer's and IPv4's nodes that one packet can meet.
#include "ip/drop_world.h"
#include "sluice/net/protocol.h"

namespace sluice::testing {
namespace {

constexpr std::string_view kThere = "10.1.0.6", kUs = "192.0.2.2";

Bytes good() { return from_pod4(kThere, payload(40)); }
/// A packet between others than the pod and its neighbour.
Bytes between(std::string_view source, std::string_view destination) {
  return ip4_packet(source, destination, kIpProtocolUdp, payload(40));
}
Bytes with_options(const Bytes& options) {
  return ip4_packet("10.1.0.5", kThere, kIpProtocolUdp, payload(8), 64, 0, options);
}
Bytes to_us(std::uint8_t protocol, const Bytes& body) { return ip4_packet("10.1.0.5", kUs, protocol, body); }
Bytes spoilt(Bytes packet, std::size_t at, std::uint8_t value) {
  packet[at] = value;
  return packet;
}
Bytes with_total_length(Bytes packet, std::uint16_t length) {
  as<Ip4Header>(packet).total_length = be16(length);
  set_header_checksum(as<Ip4Header>(packet));
  return packet;
}
Bytes udp_that_says(std::uint16_t length, std::uint16_t checksum) {
  Bytes bytes = udp(1, 4789, payload(20));
  as<UdpHeader>(bytes).length = be16(length);
  as<UdpHeader>(bytes).checksum = be16(checksum);
  return bytes;
}
Bytes arp(std::uint16_t operation, std::string_view sender, std::string_view target,
          std::string_view sender_mac = "02::9") {
  return wire(ArpHeader{be16(ArpHeader::kEthernet), be16(kEthertypeIp4), 6, 4, be16(operation), mac(sender_mac),
                        ip4(sender), MacAddress{}, ip4(target)});
}
Bytes arp_of_another_kind() {
  Bytes packet = arp(ArpHeader::kRequest, "192.0.2.9", kUs);
  as<ArpHeader>(packet).hardware = be16(std::uint16_t{6});
  return packet;
}

auto mtu_of_b(std::uint32_t mtu) {
  return [=](DropWorld& w) { w.change(w.b, [=](InterfaceState& s) { s.mtu = mtu; }); };
}
auto host_is(char which, bool known) {
  return [=](DropWorld& w) { w.ip.punt.update([&](PuntTarget& t) { t = {w.of(which), known, mac("02::b")}; }); };
}
auto routed(ForwardingKind kind, InterfaceIndex DropWorld::* interface) {
  return [=](DropWorld& w) { w.route4("10.9.0.0/16", w.add(kind, w.*interface)); };
}
void by_a_deleted_interface(DropWorld& w) {
  w.route4("10.9.0.0/16", w.add(ForwardingKind::Adjacency, InterfaceIndex(w.b.slot(), 9)));
}
void with_a_vlan_that_is_down(DropWorld& w) {
  const auto vlan = w.ethernet_interface("02::1");
  w.change(vlan, [&](InterfaceState& s) {
    s.up = false;
    s.parent = w.eth;
    s.outer_vlan = 100;
  });
  w.world.interfaces.update([&](InterfaceTable& t) {
    t.slots[w.eth.slot()].has_subinterfaces = true;
    t.vlans.push_back({InterfaceTable::vlan_key(w.eth.slot(), 100, 0), vlan});
  });
}
/// By a subinterface that vlan-output meets as it should never be.
auto by_a_vlan(std::uint16_t outer, InterfaceIndex parent) {
  return [=](DropWorld& w) {
    const auto vlan = w.ethernet_interface("02::1");
    w.change(vlan, [&](InterfaceState& s) {
      s.parent = parent;
      s.outer_vlan = outer;
      s.output_node = w.world.graph().find("vlan-output");
    });
    w.route4("10.9.0.0/16", w.add(ForwardingKind::Adjacency, vlan, frame({}, kEthertypeIp4)));
  };
}

}  // namespace

std::vector<Fate> link_drops() {
  const Bytes request = frame(arp(ArpHeader::kRequest, "192.0.2.9", kUs), kEthertypeArp);
  return {
      {"memory-input", "interface-down", 'a', good(),
       [](DropWorld& w) { w.change(w.a, [](InterfaceState& s) { s.up = false; }); }},
      {"memory-input", "not-ip", 'a', spoilt(good(), 0, 0x55)},
      {"ethernet-input", "truncated", 'e', cut(request, 13)},
      {"ethernet-input", "other-destination", 'e', frame(good(), kEthertypeIp4, "02::77")},
      {"ethernet-input", "multicast-source", 'e', spoilt(request, 6, 3)},
      {"ethernet-input", "unknown-ethertype", 'e', frame(good(), 0x88cc)},
      {"ethernet-input", "unknown-vlan", 'e', frame(Bytes{0, 5, 8, 0} + good(), kEthertypeVlan)},
      {"ethernet-input", "vlan-down", 'e', frame(Bytes{0, 100, 8, 0} + good(), kEthertypeVlan),
       with_a_vlan_that_is_down},
      {"arp-input", "truncated", 'e', cut(request, 14 + 27)},
      {"arp-input", "not-ip4-over-ethernet", 'e', frame(arp_of_another_kind(), kEthertypeArp)},
      {"arp-input", "bad-operation", 'e', frame(arp(3, "192.0.2.9", kUs), kEthertypeArp)},
      {"arp-input", "bad-sender", 'e', frame(arp(ArpHeader::kReply, "127.0.0.1", kUs), kEthertypeArp)},
      {"arp-input", "own-frame", 'e', frame(arp(ArpHeader::kRequest, "192.0.2.2", kUs, "02::1"), kEthertypeArp)},
      {"arp-input", "address-conflict", 'e', frame(arp(ArpHeader::kReply, kUs, "192.0.2.9"), kEthertypeArp)},
      {"arp-input", "other-target", 'e', frame(arp(ArpHeader::kRequest, "192.0.2.9", "192.0.2.77"), kEthertypeArp)},
      {"interface-output", "no-interface", 'a', from_pod4("10.9.0.1", payload(8)),
       by_a_vlan(100, InterfaceIndex(63, 9))},
      {"interface-output", "interface-down", 'a', good(),
       [](DropWorld& w) { w.change(w.b, [](InterfaceState& s) { s.up = false; }); }},
      {"vlan-output", "no-interface", 'a', from_pod4("10.9.0.1", payload(8)), by_a_vlan(0, InterfaceIndex(63, 9))},
      {"memory-output", "no-interface", 'a', good(),
       [](DropWorld& w) { w.world.tx.update([&](TxBindings& t) { t.by_worker[0][w.b.slot()] = {}; }); }},
  };
}

std::vector<Fate> ip4_drops() {
  return {
      {"ip4-input", "truncated", 'a', cut(good(), 19)},
      {"ip4-input", "bad-version", 'e', frame(spoilt(good(), 0, 0x65), kEthertypeIp4)},
      {"ip4-input", "bad-header-length", 'a', spoilt(good(), 0, 0x44)},
      {"ip4-input", "bad-total-length", 'a', with_total_length(good(), 19)},
      {"ip4-input", "bad-total-length", 'a', with_total_length(good(), 61)},
      {"ip4-input", "bad-checksum", 'a', spoilt(good(), 8, 63)},
      {"ip4-input", "martian-source", 'a', between("127.0.0.1", kThere)},
      {"ip4-input", "martian-destination", 'a', between("10.1.0.5", "240.0.0.1")},
      {"ip4-input", "link-broadcast", 'e', frame(between("192.0.2.9", kThere), kEthertypeIp4, "ff:ff:ff:ff:ff:ff")},
      {"ip4-input", "multicast", 'a', between("10.1.0.5", "239.1.1.1")},
      {"ip4-input", "bad-option", 'a', with_options({7, 0, 0, 0})},
      {"ip4-input", "source-route", 'a', with_options({131, 4, 4, 0})},
      {"ip4-input", "checksum-place", 'a', good(), {}, checksum_at(8, 6)},
      {"ip4-lookup", "no-table", 'a', good(),
       [](DropWorld& w) { w.change(w.a, [](InterfaceState& s) { s.table4 = TableIndex{9}; }); }},
      {"ip4-lookup", "blackhole", 'a', from_pod4("203.0.113.9", payload(8))},
      {"ip4-rewrite", "no-interface", 'a', from_pod4("10.9.0.1", payload(8)), by_a_deleted_interface},
      {"ip4-arp", "no-link-layer", 'a', from_pod4("10.9.0.1", payload(8)),
       routed(ForwardingKind::Connected, &DropWorld::b)},
      {"ip4-fragment", "mtu-too-small", 'a', good(), mtu_of_b(27)},
      {"ip4-fragment", "too-many-fragments", 'a', from_pod4(kThere, payload(2100)), mtu_of_b(28)},
      {"ip4-icmp-error", "no-route", 'a', from_pod4("8.8.8.8", payload(8))},
      {"ip4-icmp-error", "host-unreachable", 'a', from_pod4("198.51.100.1", payload(8))},
      {"ip4-icmp-error", "fragmentation-needed", 'a', from_pod4(kThere, payload(1400), 64, 0x4000)},
      {"ip4-icmp-error", "prohibited", 'a', from_pod4("198.51.100.129", payload(8))},
      {"ip4-icmp-error", "ttl-expired", 'a', from_pod4(kThere, payload(8), 1)},
      {"ip4-icmp-error", "ttl-expired", 'a', from_pod4(kThere, payload(8), 0)},
  };
}

std::vector<Fate> ip4_local_drops() {
  Bytes wrong = icmp(kIcmpEcho, 0, payload(8));
  wrong[9] ^= 1;
  const Bytes echo = icmp(kIcmpEcho, 0, payload(8));
  return {
      {"ip4-local", "truncated", 'a', to_us(kIpProtocolUdp, payload(7))},
      {"ip4-local", "bad-udp-length", 'a', to_us(kIpProtocolUdp, udp_that_says(7, 0))},
      {"ip4-local", "bad-udp-length", 'a', to_us(kIpProtocolUdp, udp_that_says(29, 0))},
      {"ip4-local", "bad-udp-checksum", 'a', to_us(kIpProtocolUdp, udp_that_says(28, 1))},
      {"ip4-icmp", "truncated", 'a', to_us(kIpProtocolIcmp, payload(7))},
      {"ip4-icmp", "bad-checksum", 'a', to_us(kIpProtocolIcmp, wrong)},
      {"ip4-icmp", "broadcast-echo", 'a', ip4_packet("10.1.0.5", "224.0.0.1", kIpProtocolIcmp, echo)},
      {"ip4-icmp-error", "protocol-unreachable", 'a', to_us(99, payload(8))},
      {"ip4-icmp-error", "port-unreachable", 'a', to_us(kIpProtocolUdp, udp(1, 53, payload(8)))},
      {"ip4-punt", "from-host", 'h', to_us(kIpProtocolTcp, payload(20)), host_is('h', false)},
      {"ip4-punt", "no-host-address", 'a', to_us(kIpProtocolTcp, payload(20)), host_is('e', false)},
      {"ip4-reassembly", "bad-length", 'a', from_pod4(kUs, payload(15), 64, 0x2000)},
      {"ip4-reassembly", "too-long", 'a', from_pod4(kUs, payload(8), 64, 0x1fff)},
      {"test-taker", "taken", 'a', to_us(kIpProtocolUdp, udp(1, 4789, payload(20)))},
  };
}

}  // namespace sluice::testing
