// SPDX-License-Identifier: Apache-2.0
// The kernels of the forwarding path, each alone over vectors of 256. The packets' bytes are put back between rounds
// outside the measured time where a kernel changes them.
#include <sluice/ip_tables.h>
#include <sluice/kernels/ethernet_input.h>
#include <sluice/kernels/interface_output.h>
#include <sluice/kernels/ip4_input.h>
#include <sluice/kernels/ip4_lookup.h>
#include <sluice/kernels/ip4_rewrite.h>
#include <sluice/kernels/ip6_input.h>
#include <sluice/kernels/ip6_lookup.h>
#include <sluice/kernels/ip6_rewrite.h>
#include <sluice/testing/packet_bench.h>

#include "ip/forwarding_fixture.h"

namespace sluice::bench {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kPackets = 2048;  // 5 MB of buffers

/// range(0): how many routes; destinations are spread over them.
struct Setup : ForwardingFixture {
  TestWorld world{{}, 4096};
  InterfaceIndex out = world.add_interface();
  std::vector<Packet*> packets;

  Setup(bool ip6, std::size_t routes) {
    world.interfaces.update([](InterfaceTable& t) { t.slots[0].mac = mac("02::1"); });
    world.worker().begin_pass();
    const auto target = adjacency(out, 0, ethernet("02::2", "02::1", ip6 ? kEthertypeIp6 : kEthertypeIp4, {}));
    for (std::uint32_t i = 0; i < routes; ++i) {
      if (ip6) {
        (void)fib6.set({address6(i), 64}, target);
      } else {
        (void)fib4.set({address4(i), 24}, target);
      }
    }
    for (std::uint32_t i = 0; i < kPackets; ++i) {
      const auto to = static_cast<std::uint32_t>(i * 2654435761u % routes);
      Packet* packet = world.make(ip6 ? packet6(address6(to)) : packet4(address4(to)));
      packet->rx_interface = out;
      packet->l3_offset = packet->offset();
      packet->forwarding = target;
      packets.push_back(packet);
    }
  }
  ~Setup() { world.worker().buffers().free(packets); }

  static Ip4Address address4(std::uint32_t i) { return Ip4Address(0x0a000000u + (i << 8)); }
  static Ip6Address address6(std::uint32_t i) {
    Ip6Address a;
    a.bytes = {0x20,
               1,
               0x0d,
               0xb8,
               static_cast<std::uint8_t>(i >> 16),
               static_cast<std::uint8_t>(i >> 8),
               static_cast<std::uint8_t>(i)};
    return a;
  }
  static Bytes packet4(const Ip4Address& to) {
    return ip4_packet("198.51.100.1", to.to_string(), 17, udp(1000, 2000, payload(18)));
  }
  static Bytes packet6(const Ip6Address& to) {
    return ip6_packet("fd00::1", to.to_string(), 17, udp(1000, 2000, payload(18)));
  }

  template <class K, class Before>
  void measure(benchmark::State& state, K& kernel, Before&& before) {
    std::array<std::uint16_t, kVectorMax> codes;
    PacketTimer timer(state);
    for (auto _ : state) {
      for (std::size_t at = 0; at < kPackets; at += kVectorMax) {
        const std::span<Packet* const> in(packets.data() + at, kVectorMax);
        for (Packet* packet : in) before(*packet);
        timer.run(kVectorMax,
                  [&] { run_vector<K>(kernel, in, codes.data(), world.worker(), NodeIndex{0}, false, nullptr); });
        benchmark::DoNotOptimize(codes);
      }
    }
    if (codes[0] & kVerdictDropBit) state.SkipWithError("the kernel drops the packets");
  }
};

void nothing(Packet&) {}

void ethernet_input(benchmark::State& state) {
  Setup setup(false, 1);
  for (Packet* packet : setup.packets) {
    packet->push(14);
    *packet->header<EthernetHeader>() = {mac("02::1"), mac("02::9"), be16(kEthertypeIp4)};
  }
  EthernetInput kernel;
  setup.measure(state, kernel, [](Packet& packet) {
    if (packet.offset() == packet.l3_offset) packet.push(14);
  });
}
void ip4_input(benchmark::State& state) {
  Setup setup(false, 1);
  Ip4Input kernel;
  setup.measure(state, kernel, nothing);
}
void ip6_input(benchmark::State& state) {
  Setup setup(true, 1);
  Ip6Input kernel;
  setup.measure(state, kernel, nothing);
}
void ip4_lookup(benchmark::State& state) {
  Setup setup(false, static_cast<std::size_t>(state.range(0)));
  Ip4Lookup kernel{setup.tables};
  setup.measure(state, kernel, nothing);
}
void ip6_lookup(benchmark::State& state) {
  Setup setup(true, static_cast<std::size_t>(state.range(0)));
  Ip6Lookup kernel{setup.tables};
  setup.measure(state, kernel, nothing);
}
void ip4_rewrite(benchmark::State& state) {
  Setup setup(false, 1);
  Ip4Rewrite kernel{setup.tables};
  setup.measure(state, kernel, [](Packet& packet) {
    if (packet.offset() != packet.l3_offset) packet.pull(14);
    packet.header<Ip4Header>()->ttl = 64;
  });
}
void ip6_rewrite(benchmark::State& state) {
  Setup setup(true, 1);
  Ip6Rewrite kernel{setup.tables};
  setup.measure(state, kernel, [](Packet& packet) {
    if (packet.offset() != packet.l3_offset) packet.pull(14);
    packet.header<Ip6Header>()->hop_limit = 64;
  });
}
void interface_output(benchmark::State& state) {
  Setup setup(false, 1);
  InterfaceOutput kernel;
  setup.measure(state, kernel, [&](Packet& packet) { packet.tx_interface = setup.out; });
}
BENCHMARK(ethernet_input)->Name("node/ethernet_input");
BENCHMARK(ip4_input)->Name("node/ip4_input");
BENCHMARK(ip6_input)->Name("node/ip6_input");
BENCHMARK(ip4_lookup)->Name("node/ip4_lookup")->Arg(1)->Arg(100)->Arg(10000)->Arg(100000);
BENCHMARK(ip6_lookup)->Name("node/ip6_lookup")->Arg(1)->Arg(100)->Arg(10000);
BENCHMARK(ip4_rewrite)->Name("node/ip4_rewrite");
BENCHMARK(ip6_rewrite)->Name("node/ip6_rewrite");
BENCHMARK(interface_output)->Name("node/interface_output");

}  // namespace
}  // namespace sluice::bench
