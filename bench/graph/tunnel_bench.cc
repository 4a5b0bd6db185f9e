// SPDX-License-Identifier: Apache-2.0
// What a packet costs that goes into one of 1,000 tunnels or comes out of one, from ethernet-input to a null device.
#include <sluice/tunnel/peer.h>

#include <memory>

#include "bgp_routes.h"
#include "graph/forward_world.h"
#include "ipip/chains.h"
#include "vxlan/chains.h"

namespace sluice::bench {
namespace {

using testing::operator+;

constexpr std::size_t kTunnels = 1000;
constexpr std::size_t kDestinations = std::size_t{1} << 16;
constexpr Ip4Address kLocal(0xc0000201);  // 192.0.2.1

Ip4Address remote_of(std::size_t tunnel) { return Ip4Address(0xcb007100 + static_cast<std::uint32_t>(tunnel)); }

struct Ipip {
  using State = ipip::State;
  static constexpr std::string_view kOutput = "ipip-output", kDecap = "ipip-decap";
  static constexpr LinkLayer kLink = LinkLayer::Ip;
  static void add(Registry& registry, State& state) {
    registry.node<ipip::IpipOutput>(state);
    registry.node<ipip::IpipDecap>(state);
    registry.node<ipip::IpipErrors>(state);
    state.path_mtu = registry.control_message([](const ControlMessage&) {});
    ipip::register_chains(registry);
  }
  static void fill(TunnelRemote& remote, std::size_t tunnel) {
    TunnelPeer::fill_headers(remote, {kLocal, remote_of(tunnel)}, {.protocol = kIpProtocolIpIp, .behind = {}});
  }
  static void encap(ipip::EncapTable& table, std::uint32_t slot, const TunnelRemote* remote) {
    table.by_slot.resize(slot + 1);
    table.by_slot[slot] = remote;
  }
  static void decap(ipip::DecapTable& table, std::size_t tunnel, InterfaceIndex interface) {
    table.ip4.set(TunnelKey4::of(remote_of(tunnel), kLocal, 0), interface);
  }
  static void listen(LocalTable& local, NodeIndex node) {
    local.ip4.protocol[kIpProtocolIpIp] = static_cast<std::uint16_t>(node.value);
  }
  static Bytes outer(const Bytes& inner, std::size_t) {
    return testing::ip4_packet("203.0.113.1", kLocal.to_string(), kIpProtocolIpIp, inner);
  }
  static constexpr std::size_t kInside = sizeof(Ip4Header);  // where the inner IP header is in the outer packet
  static void set_id(std::byte*, std::size_t) {}
};

struct Vxlan {
  using State = vxlan::State;
  static constexpr std::string_view kOutput = "vxlan-output", kDecap = "vxlan-decap";
  static constexpr LinkLayer kLink = LinkLayer::Ethernet;
  static void add(Registry& registry, State& state) {
    registry.node<vxlan::VxlanOutput>(state);
    registry.node<vxlan::VxlanDecap>(state);
    registry.node<vxlan::VxlanErrors>(state);
    state.path_mtu = registry.control_message([](const ControlMessage&) {});
    vxlan::register_chains(registry);
  }
  static Bytes behind(std::size_t tunnel) {
    vxlan::VxlanHeader header{};
    header.flags = vxlan::VxlanHeader::kVniValid;
    header.vni_reserved = be32(static_cast<std::uint32_t>(tunnel) << 8);
    return testing::wire(UdpHeader{be16{}, be16(vxlan::kPort), be16{}, be16{}}) + testing::wire(header);
  }
  static void fill(TunnelRemote& remote, std::size_t tunnel) {
    const Bytes bytes = behind(tunnel);
    TunnelPeer::fill_headers(
        remote, {kLocal, remote_of(tunnel)},
        {.protocol = kIpProtocolUdp, .behind = std::as_bytes(std::span(bytes)), .udp = true, .inner_link_bytes = 14});
  }
  static void encap(vxlan::EncapTable& table, std::uint32_t slot, const TunnelRemote* remote) {
    table.by_slot.resize(slot + 1);
    table.by_slot[slot].remote = remote;
  }
  static void decap(vxlan::DecapTable& table, std::size_t tunnel, InterfaceIndex interface) {
    const auto vni = static_cast<std::uint32_t>(tunnel);
    table.ip4.set(TunnelKey4::of(remote_of(tunnel), kLocal, vxlan::DecapTable::id(vni, vxlan::kPort, TableIndex{0})),
                  interface);
  }
  static void listen(LocalTable& local, NodeIndex node) {
    local.ip4.udp.push_back({vxlan::kPort, static_cast<std::uint16_t>(node.value), LocalTable::kNobody});
  }
  static Bytes outer(const Bytes& inner, std::size_t tunnel) {
    Bytes udp = behind(tunnel) + testing::ethernet("02::5", "02::6", kEthertypeIp4, inner);
    testing::as<UdpHeader>(udp).length = be16(static_cast<std::uint16_t>(udp.size()));
    testing::as<UdpHeader>(udp).source = be16(std::uint16_t{50000});
    return testing::ip4_packet("203.0.113.1", kLocal.to_string(), kIpProtocolUdp, udp);
  }
  static constexpr std::size_t kInside =
      sizeof(Ip4Header) + sizeof(UdpHeader) + sizeof(vxlan::VxlanHeader) + sizeof(EthernetHeader);
  static void set_id(std::byte* outer, std::size_t tunnel) {
    auto* header = reinterpret_cast<vxlan::VxlanHeader*>(outer + sizeof(Ip4Header) + sizeof(UdpHeader));
    header->vni_reserved = be32(static_cast<std::uint32_t>(tunnel) << 8);
  }
};

/// A packet that comes by a tunnel.
template <class Kind>
struct FromTunnel {
  std::size_t tunnel = 0;
  Ip4Address to;
  Bytes frame(std::size_t bytes) const {
    const std::size_t headers = sizeof(EthernetHeader) + sizeof(Ip4Header) + sizeof(UdpHeader);
    const Bytes inner =
        testing::ip4_packet("198.51.100.1", to.to_string(), kIpProtocolUdp,
                            testing::udp(1000, 2000, testing::payload(bytes > headers ? bytes - headers : 0)));
    return testing::ethernet("02::1", "02::9", kEthertypeIp4, Kind::outer(inner, tunnel));
  }
  void readdress(std::byte* ip) const {
    auto* outer = reinterpret_cast<Ip4Header*>(ip);
    outer->source = remote_of(tunnel);
    set_header_checksum(*outer);
    Kind::set_id(ip, tunnel);
    auto* inner = reinterpret_cast<Ip4Header*>(ip + Kind::kInside);
    inner->destination = to;
    set_header_checksum(*inner);
  }
};

template <class Kind>
struct Tunnels {
  Rcu rcu;
  typename Kind::State state{rcu, nullptr};
  std::vector<std::unique_ptr<TunnelRemote>> remotes;
  std::vector<InterfaceIndex> interfaces;
  ForwardWorld world{[this](Registry& registry) { Kind::add(registry, state); }};

  Tunnels() {
    state.ip = &world.ip.tables;
    state.arcs = TunnelArcs::of(world.world.graph());
    auto encap = std::make_unique<typename std::remove_cvref_t<decltype(state.encap.get())>>();
    auto decap = std::make_unique<typename std::remove_cvref_t<decltype(state.decap.get())>>();
    for (std::size_t i = 0; i < kTunnels; ++i) {
      const InterfaceIndex index = world.world.add_interface([&](InterfaceState& s) {
        s.link = Kind::kLink;
        s.mac = testing::mac("02::5");
        s.output_node = world.world.graph().find(Kind::kOutput);
        s.offloads = {.tx_checksum = true, .tx_tso4 = true, .tx_tso6 = true, .tx_uso = true};
      });
      interfaces.push_back(index);
      remotes.push_back(std::make_unique<TunnelRemote>());
      Kind::fill(*remotes.back(), i);
      remotes.back()->mtu = 1500 - remotes.back()->header_bytes - (Kind::kLink == LinkLayer::Ethernet ? 14 : 0);
      remotes.back()->forwarding = world.hops4[i % world.hops4.size()].value;
      Kind::encap(*encap, index.slot(), remotes.back().get());
      Kind::decap(*decap, i, index);
    }
    state.encap.publish(std::move(encap));
    state.decap.publish(std::move(decap));
    world.ip.local.update([&](LocalTable& local) { Kind::listen(local, world.world.graph().find(Kind::kDecap)); });
    Forwarding own;
    own.kind = ForwardingKind::Local;
    if (!world.fib4.set({kLocal, 32}, *world.ip.tables.forwarding.add(std::move(own))).ok()) std::abort();
    world.world.worker().begin_pass();
  }
  ~Tunnels() { rcu.drain(); }

  ForwardingIndex into(std::size_t tunnel) {
    Forwarding object;
    object.kind = ForwardingKind::Adjacency;
    object.interface = interfaces[tunnel];
    if (Kind::kLink == LinkLayer::Ethernet) {
      const EthernetHeader header{testing::mac("02::6"), testing::mac("02::5"), be16(kEthertypeIp4)};
      object.rewrite_length = sizeof header;
      std::memcpy(object.rewrite.data(), &header, sizeof header);
    }
    return *world.ip.tables.forwarding.add(std::move(object));
  }
};

template <class Kind>
void encap(benchmark::State& state, bool fused) {
  Tunnels<Kind> tunnels;
  tunnels.world.world.worker().graph().use_chains(fused);
  const auto routes = bgp_prefixes<Ip4Address>(kTunnels);
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (!tunnels.world.fib4.set(routes[i], tunnels.into(i)).ok()) std::abort();
  }
  tunnels.world.measure(state, random_destinations(routes, kDestinations));
}

template <class Kind>
void decap(benchmark::State& state, bool fused) {
  Tunnels<Kind> tunnels;
  tunnels.world.world.worker().graph().use_chains(fused);
  const auto routes = bgp_prefixes<Ip4Address>(kTunnels);
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (!tunnels.world.fib4.set(routes[i], tunnels.world.hops4[i % tunnels.world.hops4.size()]).ok()) std::abort();
  }
  std::vector<FromTunnel<Kind>> packets;
  for (const Ip4Address& to : random_destinations(routes, kDestinations)) {
    packets.push_back({packets.size() * 7 % kTunnels, to});
  }
  tunnels.world.measure(state, packets);
}

void ipip_encap(benchmark::State& state, bool fused) { encap<Ipip>(state, fused); }
void ipip_decap(benchmark::State& state, bool fused) { decap<Ipip>(state, fused); }
void vxlan_encap(benchmark::State& state, bool fused) { encap<Vxlan>(state, fused); }
void vxlan_decap(benchmark::State& state, bool fused) { decap<Vxlan>(state, fused); }

BENCHMARK_CAPTURE(ipip_encap, fused, true)->Name("graph/ipip_encap");
BENCHMARK_CAPTURE(ipip_decap, fused, true)->Name("graph/ipip_decap");
BENCHMARK_CAPTURE(vxlan_encap, fused, true)->Name("graph/vxlan_encap");
BENCHMARK_CAPTURE(vxlan_decap, fused, true)->Name("graph/vxlan_decap");
BENCHMARK_CAPTURE(ipip_encap, apart, false)->Name("graph/ipip_encap/unfused");
BENCHMARK_CAPTURE(ipip_decap, apart, false)->Name("graph/ipip_decap/unfused");
BENCHMARK_CAPTURE(vxlan_encap, apart, false)->Name("graph/vxlan_encap/unfused");
BENCHMARK_CAPTURE(vxlan_decap, apart, false)->Name("graph/vxlan_decap/unfused");

}  // namespace
}  // namespace sluice::bench
