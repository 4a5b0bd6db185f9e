// SPDX-License-Identifier: Apache-2.0
// Any bytes as IPv4 or IPv6 from the underlay of VXLAN tunnels.
#include "tunnel_world.h"
#include "vxlan/chains.h"

namespace sluice::fuzz {

struct Vxlan {
  using State = vxlan::State;
  static constexpr LinkLayer kLink = LinkLayer::Ethernet;
  static constexpr std::string_view kOutput = "vxlan-output";
  static constexpr std::uint32_t kVni = 7;
  static void add(Registry& registry, State& state) {
    registry.node<vxlan::VxlanOutput>(state);
    registry.node<vxlan::VxlanDecap>(state);
    registry.node<vxlan::VxlanErrors>(state);
    vxlan::register_chains(registry);
    state.path_mtu = registry.control_message([](const ControlMessage&) {});
  }
  static testing::Bytes rewrite(std::uint16_t type) { return testing::ethernet("02::6", "02::5", type, {}); }
  static void connect(TunnelWorld<Vxlan>& world) {
    testing::Bytes behind(16);
    testing::as<UdpHeader>(behind).destination = be16(vxlan::kPort);
    testing::as<vxlan::VxlanHeader>(behind, sizeof(UdpHeader)).flags = vxlan::VxlanHeader::kVniValid;
    testing::as<vxlan::VxlanHeader>(behind, sizeof(UdpHeader)).vni_reserved = be32(kVni << 8);
    const TunnelPeer::Shape shape{
        .protocol = kIpProtocolUdp, .behind = std::as_bytes(std::span(behind)), .udp = true, .inner_link_bytes = 14};
    TunnelPeer::fill_headers(world.remotes[0], {world.kHere4, world.kThere4}, shape);
    TunnelPeer::fill_headers(world.remotes[1], {world.here6, world.there6}, shape);
    world.remotes[1].policy.udp_checksum = true;
    world.state.encap.update([&](vxlan::EncapTable& t) {
      t.by_slot.resize(world.tunnels[1].slot() + 1);
      for (std::size_t i = 0; i < 2; ++i) t.by_slot[world.tunnels[i].slot()].remote = &world.remotes[i];
    });
    world.state.decap.update([&](vxlan::DecapTable& t) {
      const std::uint64_t id = vxlan::DecapTable::id(kVni, vxlan::kPort, TableIndex{0});
      t.ip4.set(TunnelKey4::of(world.kThere4, world.kHere4, id), world.tunnels[0]);
      t.ip6.set(TunnelKey6::of(world.there6, world.here6, id), world.tunnels[1]);
    });
    const auto decap = static_cast<std::uint16_t>(world.node("vxlan-decap").value);
    const auto errors = static_cast<std::uint16_t>(world.node("vxlan-errors").value);
    world.path.ip.local.update([&](LocalTable& t) {
      for (LocalTable::Family* family : {&t.ip4, &t.ip6}) family->udp.push_back({vxlan::kPort, decap, errors});
    });
  }
};

}  // namespace sluice::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return sluice::fuzz::TunnelWorld<sluice::fuzz::Vxlan>::get().run({data, size});
}
