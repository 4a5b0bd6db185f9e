// SPDX-License-Identifier: Apache-2.0
// Any bytes as IPv4 or IPv6 from the underlay of IPIP tunnels.
#include "ipip/chains.h"
#include "tunnel_world.h"

namespace sluice::fuzz {

struct Ipip {
  using State = ipip::State;
  static constexpr LinkLayer kLink = LinkLayer::Ip;
  static constexpr std::string_view kOutput = "ipip-output";
  static void add(Registry& registry, State& state) {
    registry.node<ipip::IpipOutput>(state);
    registry.node<ipip::IpipDecap>(state);
    registry.node<ipip::IpipErrors>(state);
    ipip::register_chains(registry);
    state.path_mtu = registry.control_message([](const ControlMessage&) {});
  }
  static testing::Bytes rewrite(std::uint16_t) { return {}; }
  static void connect(TunnelWorld<Ipip>& world) {
    TunnelPeer::fill_headers(world.remotes[0], {world.kHere4, world.kThere4},
                             {.protocol = kIpProtocolIpIp, .behind = {}});
    TunnelPeer::fill_headers(world.remotes[1], {world.here6, world.there6},
                             {.protocol = kIpProtocolIpIp, .behind = {}});
    world.state.encap.update([&](ipip::EncapTable& t) {
      t.by_slot.resize(world.tunnels[1].slot() + 1);
      for (std::size_t i = 0; i < 2; ++i) t.by_slot[world.tunnels[i].slot()] = &world.remotes[i];
    });
    world.state.decap.update([&](ipip::DecapTable& t) {
      t.ip4.set(TunnelKey4::of(world.kThere4, world.kHere4, 0), world.tunnels[0]);
      t.ip6.set(TunnelKey6::of(world.there6, world.here6, 0), world.tunnels[1]);
    });
    const auto decap = static_cast<std::uint16_t>(world.node("ipip-decap").value);
    const auto errors = static_cast<std::uint16_t>(world.node("ipip-errors").value);
    world.path.ip.local.update([&](LocalTable& t) {
      for (LocalTable::Family* family : {&t.ip4, &t.ip6}) {
        for (const std::uint8_t protocol : {kIpProtocolIpIp, kIpProtocolIp6}) {
          family->protocol[protocol] = decap;
          family->errors[protocol] = errors;
        }
      }
    });
  }
};

}  // namespace sluice::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return sluice::fuzz::TunnelWorld<sluice::fuzz::Ipip>::get().run({data, size});
}
