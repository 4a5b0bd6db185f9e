// SPDX-License-Identifier: Apache-2.0
// A packet for every drop of IPv6's nodes that one packet can meet.
#include "ip/drop_world.h"
#include "sluice/net/ip6.h"
#include "sluice/net/neighbor_options.h"

namespace sluice::testing {
namespace {

constexpr std::string_view kPod = "fd00::5", kThere = "fd00::6", kUs = "2001:db8::2", kNeighbor = "2001:db8::9";
constexpr std::string_view kAllNodes = "ff02::1";

Bytes good() { return from_pod6(kThere, kIpProtocolUdp, payload(40)); }
Bytes between(std::string_view source, std::string_view destination) {
  return ip6_packet(source, destination, kIpProtocolUdp, payload(40));
}
Bytes with_version(Bytes packet, std::uint8_t first) {
  packet[0] = first;
  return packet;
}
/// Eight bytes of options in front.
Bytes hop_by_hop(const Bytes& header) { return from_pod6(kThere, kIpProtocolHopByHop, header + payload(16)); }
Bytes to_us(std::uint8_t next, const Bytes& body) { return from_pod6(kUs, next, body); }
Bytes udp_that_says(std::uint16_t length, std::uint16_t checksum) {
  Bytes bytes = udp(1, 4789, payload(20));
  as<UdpHeader>(bytes).length = be16(length);
  as<UdpHeader>(bytes).checksum = be16(checksum);
  return bytes;
}
Bytes icmp6(std::uint8_t type, const Bytes& body) { return wire(IcmpHeader{type, 0, be16{}, be16{}, be16{}}) + body; }
Bytes echo(std::string_view source, std::string_view destination, std::size_t bytes = 8) {
  return icmp6_packet(source, destination, icmp6(kIcmp6Echo, payload(bytes)));
}

Bytes solicitation(std::string_view target = kUs, std::uint8_t code = 0) {
  return wire(NeighborMessage{kIcmp6NeighborSolicitation, code, be16{}, be32(0u), ip6(target)});
}
Bytes advertisement(std::uint32_t flags, std::string_view target = kNeighbor) {
  return wire(NeighborMessage{kIcmp6NeighborAdvertisement, 0, be16{}, be32(flags), ip6(target)});
}
Bytes link_address(std::uint8_t type, std::string_view address) {
  return wire(LinkAddressOption{type, 1, mac(address)});
}
/// From a neighbour to the uplink's address.
Bytes neighbor_says(const Bytes& message, std::string_view source = kNeighbor, std::string_view destination = kUs,
                    std::uint8_t hops = 255) {
  return frame(icmp6_packet(source, destination, message, hops), kEthertypeIp6);
}
/// A whole packet in one fragment.
Bytes in_a_fragment(const Bytes& message) {
  const Bytes whole = icmp6_packet(kNeighbor, kUs, message, 255);
  const Ip6FragmentHeader header{kIpProtocolIcmp6, 0, be16(std::uint16_t{0}), be32(1u)};
  return frame(
      ip6_packet(kNeighbor, kUs, kIpProtocolFragment, wire(header) + Bytes(whole.begin() + 40, whole.end()), 255),
      kEthertypeIp6);
}

auto mtu_of_a(std::uint32_t mtu) {
  return [=](DropWorld& w) { w.change(w.a, [=](InterfaceState& s) { s.mtu = mtu; }); };
}
auto host_is(char which) {
  return [=](DropWorld& w) { w.ip.punt.update([&](PuntTarget& t) { t = {w.of(which), false, {}}; }); };
}
void without_addresses(DropWorld& w) { w.ip.addresses.publish(std::make_unique<const AddressTable>()); }
void by_a_deleted_interface(DropWorld& w) {
  w.route6("fd09::/16", w.add(ForwardingKind::Adjacency, InterfaceIndex(w.b.slot(), 9)));
}
void on_a_link_without_neighbors(DropWorld& w) { w.route6("fd09::/16", w.add(ForwardingKind::Connected, w.b)); }

}  // namespace

std::vector<Fate> ip6_drops() {
  const Bytes udp_body = payload(8);
  return {
      {"ip6-input", "truncated", 'a', cut(good(), 39)},
      {"ip6-input", "bad-version", 'e', frame(with_version(good(), 0x45), kEthertypeIp6)},
      {"ip6-input", "bad-payload-length", 'a', cut(good(), good().size() - 1)},
      {"ip6-input", "jumbo", 'a', hop_by_hop({17, 0, 0xc2, 4, 0, 1, 0, 0})},
      {"ip6-input", "martian-source", 'a', between("::1", kThere)},
      {"ip6-input", "martian-destination", 'a', between(kPod, "::1")},
      {"ip6-input", "link-broadcast", 'e', frame(between(kNeighbor, kThere), kEthertypeIp6, "33:33::1")},
      {"ip6-input", "multicast", 'a', between(kPod, "ff05::1")},
      {"ip6-input", "bad-hop-by-hop", 'a', hop_by_hop({17, 0, 1, 5, 0, 0, 0, 0})},
      {"ip6-input", "refused-option", 'a', hop_by_hop({17, 0, 0x5e, 4, 0, 0, 0, 0})},
      {"ip6-input", "checksum-place", 'a', good(), {}, checksum_at(8, 6)},
      {"ip6-lookup", "no-table", 'a', good(),
       [](DropWorld& w) { w.change(w.a, [](InterfaceState& s) { s.table6 = TableIndex{9}; }); }},
      {"ip6-lookup", "blackhole", 'a', from_pod6("2001:db8:b::1", kIpProtocolUdp, udp_body)},
      {"ip6-lookup", "other-link", 'a', from_pod6("fe80::77", kIpProtocolUdp, udp_body)},
      {"ip6-rewrite", "no-interface", 'a', from_pod6("fd09::1", kIpProtocolUdp, udp_body), by_a_deleted_interface},
      {"ip6-nd", "no-link-layer", 'a', from_pod6("fd09::1", kIpProtocolUdp, udp_body), on_a_link_without_neighbors},
      {"ip6-fragment", "mtu-too-small", 'a', echo(kPod, kUs), mtu_of_a(50)},
      {"ip6-fragment", "too-many-fragments", 'a', echo(kPod, kUs, 2100), mtu_of_a(56)},
      {"ip6-icmp-error", "no-route", 'a', from_pod6("2001:db8:ffff::1", kIpProtocolUdp, udp_body)},
      {"ip6-icmp-error", "prohibited", 'a', from_pod6("2001:db8:c::1", kIpProtocolUdp, udp_body)},
      {"ip6-icmp-error", "beyond-scope", 'e', frame(between("fe80::9", kThere), kEthertypeIp6)},
      {"ip6-icmp-error", "address-unreachable", 'a', from_pod6("2001:db8:a::1", kIpProtocolUdp, udp_body)},
      {"ip6-icmp-error", "packet-too-big", 'a', from_pod6(kThere, kIpProtocolUdp, payload(1400))},
      {"ip6-icmp-error", "hop-limit-exceeded", 'a', from_pod6(kThere, kIpProtocolUdp, udp_body, 1)},
      {"ip6-icmp-error", "other-error", 'a', hop_by_hop({17, 0, 0x9e, 4, 0, 0, 0, 0})},
  };
}

std::vector<Fate> ip6_local_drops() {
  Bytes wrong = echo(kPod, kUs);
  wrong.back() ^= 1;
  return {
      {"ip6-local", "bad-extension", 'a', to_us(kIpProtocolDestinationOptions, {17, 9, 1, 4, 0, 0, 0, 0})},
      {"ip6-local", "routing-header", 'a', to_us(kIpProtocolRouting, Bytes{17, 0, 0, 1, 0, 0, 0, 0} + payload(8))},
      {"ip6-local", "no-next-header", 'a', to_us(kIpProtocolNoNextHeader, {})},
      {"ip6-local", "truncated", 'a', to_us(kIpProtocolUdp, payload(7))},
      {"ip6-local", "bad-udp-length", 'a', to_us(kIpProtocolUdp, udp_that_says(7, 0))},
      {"ip6-local", "bad-udp-checksum", 'a', to_us(kIpProtocolUdp, udp_that_says(28, 1))},
      {"ip6-icmp", "truncated", 'a', to_us(kIpProtocolIcmp6, payload(7))},
      {"ip6-icmp", "bad-checksum", 'a', wrong},
      {"ip6-icmp", "no-source", 'a', echo(kPod, kAllNodes), without_addresses},
      {"ip6-icmp", "unspecified-source", 'a', echo("::", kAllNodes)},
      {"ip6-icmp", "not-used", 'a', icmp6_packet(kPod, "ff02::2", icmp6(kIcmp6RouterSolicitation, {}), 255)},
      {"ip6-icmp-error", "port-unreachable", 'a', to_us(kIpProtocolUdp, udp(1, 53, payload(8)))},
      {"ip6-icmp-error", "unknown-header", 'a', to_us(99, payload(8))},
      {"ip6-punt", "from-host", 'h', to_us(kIpProtocolTcp, payload(20)), host_is('h')},
      {"ip6-punt", "no-host-address", 'a', to_us(kIpProtocolTcp, payload(20)), host_is('e')},
      {"ip6-reassembly", "bad-length", 'a', to_us(kIpProtocolFragment, {17, 0, 0, 8, 0, 0, 0, 1})},
      {"ip6-nd-input", "no-link-layer", 'a', icmp6_packet(kPod, kUs, solicitation(), 255)},
      {"ip6-nd-input", "foreign-hop-limit", 'e', neighbor_says(solicitation(), kNeighbor, kUs, 254)},
      {"ip6-nd-input", "fragmented", 'e', in_a_fragment(solicitation())},
      {"ip6-nd-input", "bad-code", 'e', neighbor_says(solicitation(kUs, 1))},
      {"ip6-nd-input", "truncated", 'e', neighbor_says(cut(solicitation(), 23))},
      {"ip6-nd-input", "multicast-target", 'e', neighbor_says(solicitation(kAllNodes))},
      {"ip6-nd-input", "bad-option", 'e', neighbor_says(solicitation() + Bytes{1, 0, 0, 0, 0, 0, 0, 0})},
      {"ip6-nd-input", "bad-probe", 'e',
       neighbor_says(solicitation() + link_address(1, "02::9"), "::", "ff02::1:ff00:2")},
      {"ip6-nd-input", "bad-advertisement", 'e', neighbor_says(advertisement(1u << 30), kNeighbor, kAllNodes)},
      {"ip6-nd-input", "own-frame", 'e', neighbor_says(advertisement(0, kUs) + link_address(2, "02::1"))},
      {"ip6-nd-input", "address-conflict", 'e', neighbor_says(advertisement(0, kUs) + link_address(2, "02::9"))},
      {"ip6-nd-input", "other-target", 'e', neighbor_says(solicitation("2001:db8::77") + link_address(1, "02::9"))},
  };
}

}  // namespace sluice::testing
