// SPDX-License-Identifier: Apache-2.0
// What the framework itself costs: docs/architecture.md quotes these figures.
#include <sluice/node.h>
#include <sluice/testing/packet_bench.h>

#include "graph/keep_node.h"

namespace sluice::bench {
namespace {

using testing::Bytes;
using testing::PacketTimer;
using testing::spread_packets;
using testing::TestWorld;

// About what a header check does: two loads of packet bytes, a branch, a store to the packet.
template <std::size_t Ahead, bool Traces>
struct Check {
  static constexpr NodeInfo kInfo{"check", "looks at a header"};
  static constexpr std::size_t kPrefetch = Ahead;
  enum class Next : std::uint8_t { Good };
  enum class Drop : std::uint8_t { Bad };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    std::uint8_t version;
    std::uint32_t length;
  };
  static constexpr std::string_view why(Drop) { return "not IPv4"; }
  [[gnu::always_inline]] Verdict operator()(Packet& packet, Worker&, [[maybe_unused]] Trace* trace) const noexcept {
    const auto first = std::to_integer<std::uint8_t>(packet.data[0]);
    if constexpr (Traces) {
      if (trace) *trace = {first, packet.chain_length};
    }
    if (first >> 4 != 4 || packet.length < 20) return Drop::Bad;
    packet.l4_offset = static_cast<std::uint16_t>(packet.l3_offset + (first & 15) * 4);
    return Next::Good;
  }
};

Bytes ip4_bytes() {
  Bytes bytes(64);
  bytes[0] = 0x45;
  return bytes;
}

constexpr std::size_t kPackets = 8192;  // 21 MB of buffers: they do not stay in L2

template <class K>
void run_kernel(benchmark::State& state) {
  TestWorld world({}, 16384);
  const auto packets = spread_packets(world, ip4_bytes(), kPackets);
  K kernel;
  std::array<std::uint16_t, kVectorMax> codes;
  {
    PacketTimer timer(state);
    for (auto _ : state) {
      for (std::size_t at = 0; at < kPackets; at += kVectorMax) {
        const std::span<Packet* const> in(packets.data() + at, kVectorMax);
        timer.run(kVectorMax,
                  [&] { run_vector<K>(kernel, in, codes.data(), world.worker(), NodeIndex{0}, false, nullptr); });
        benchmark::DoNotOptimize(codes);
      }
    }
  }
  world.worker().buffers().free(packets);
}
void trace_absent(benchmark::State& state) { run_kernel<Check<4, false>>(state); }
void trace_null(benchmark::State& state) { run_kernel<Check<4, true>>(state); }
BENCHMARK(trace_absent)->Name("framework/trace_absent");
BENCHMARK(trace_null)->Name("framework/trace_null");
template <std::size_t Ahead>
void prefetch_distance_of(benchmark::State& state) {
  run_kernel<Check<Ahead, true>>(state);
}
BENCHMARK(prefetch_distance_of<0>)->Name("framework/prefetch/0");
BENCHMARK(prefetch_distance_of<1>)->Name("framework/prefetch/1");
BENCHMARK(prefetch_distance_of<2>)->Name("framework/prefetch/2");
BENCHMARK(prefetch_distance_of<4>)->Name("framework/prefetch/4");
BENCHMARK(prefetch_distance_of<6>)->Name("framework/prefetch/6");
BENCHMARK(prefetch_distance_of<8>)->Name("framework/prefetch/8");
BENCHMARK(prefetch_distance_of<16>)->Name("framework/prefetch/16");

// The loop that an expert writes by hand: four packets at a time, loads first, one shared branch.
void hand_unrolled(benchmark::State& state) {
  TestWorld world({}, 16384);
  const auto packets = spread_packets(world, ip4_bytes(), kPackets);
  std::array<std::uint16_t, kVectorMax> codes;
  const auto body = [&](std::span<Packet* const> in) {
    const Check<4, false> one;
    std::size_t i = 0;
    for (; i + 8 <= in.size(); i += 4) {
      for (std::size_t k = 4; k < 8; ++k) prefetch(in[i + k]);
      std::uint8_t first[4];
      unsigned bad = 0;
      for (std::size_t k = 0; k < 4; ++k) {
        first[k] = std::to_integer<std::uint8_t>(in[i + k]->data[0]);
        bad |= static_cast<unsigned>(first[k] >> 4 != 4) | static_cast<unsigned>(in[i + k]->length < 20);
      }
      if (!bad) [[likely]] {
        for (std::size_t k = 0; k < 4; ++k) {
          in[i + k]->l4_offset = static_cast<std::uint16_t>(in[i + k]->l3_offset + (first[k] & 15) * 4);
          codes[i + k] = 0;
        }
      } else {
        for (std::size_t k = 0; k < 4; ++k) codes[i + k] = one(*in[i + k], world.worker(), nullptr).code();
      }
    }
    for (; i < in.size(); ++i) codes[i] = one(*in[i], world.worker(), nullptr).code();
  };
  {
    PacketTimer timer(state);
    for (auto _ : state) {
      for (std::size_t at = 0; at < kPackets; at += kVectorMax) {
        timer.run(kVectorMax, [&] { body(std::span<Packet* const>(packets.data() + at, kVectorMax)); });
        benchmark::DoNotOptimize(codes);
      }
    }
  }
  world.worker().buffers().free(packets);
}
BENCHMARK(hand_unrolled)->Name("framework/hand_unrolled");

// Partition: a node that spreads packets over n nexts, behind which packets stay.
struct Spread {
  static constexpr NodeInfo kInfo{"spread", "spreads packets by their flow hash"};
  enum class Next : std::uint8_t { Keep0, Keep1, Keep2, Keep3, Keep4, Keep5, Keep6, Keep7 };
  enum class Drop : std::uint8_t {};
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  std::uint32_t& mask;
  Verdict operator()(Packet& packet, Worker&, Trace*) const noexcept {
    return static_cast<Next>(packet.flow_hash & mask);
  }
};

void partition(benchmark::State& state) {
  auto mask = static_cast<std::uint32_t>(state.range(0) - 1);
  TestWorld world([&](Registry& r) {
    r.node<Spread>(mask);
    r.node<Keep<'0'>>();
    r.node<Keep<'1'>>();
    r.node<Keep<'2'>>();
    r.node<Keep<'3'>>();
    r.node<Keep<'4'>>();
    r.node<Keep<'5'>>();
    r.node<Keep<'6'>>();
    r.node<Keep<'7'>>();
  });
  std::vector<Packet*> packets = spread_packets(world, ip4_bytes(), kVectorMax);
  for (std::size_t i = 0; i < packets.size(); ++i)
    packets[i]->flow_hash = static_cast<std::uint32_t>(i * 2654435761u >> 7);
  const NodeIndex node = world.graph().find("spread");
  {
    PacketTimer timer(state);
    for (auto _ : state) {
      world.worker().graph().enqueue(world.worker(), node, packets);
      timer.run(kVectorMax, [&] { world.worker().graph().run(world.worker()); });
    }
  }
  world.worker().buffers().free(packets);
}
BENCHMARK(partition)->Name("graph/partition")->Arg(1)->Arg(2)->Arg(8);

}  // namespace
}  // namespace sluice::bench
