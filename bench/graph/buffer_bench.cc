// SPDX-License-Identifier: Apache-2.0
// What packets cost that do nothing: buffers taken and given back, and packets handed to another worker.
#include <sluice/testing/packet_bench.h>

#include "graph/keep_node.h"

namespace sluice::bench {
namespace {

using testing::PacketTimer;
using testing::TestWorld;

void alloc_free(benchmark::State& state) {
  TestWorld world;
  BufferCache& buffers = world.worker().buffers();
  std::array<Packet*, kVectorMax> packets;
  PacketTimer timer(state);
  for (auto _ : state) {
    timer.run(kVectorMax, [&] {
      if (buffers.alloc(packets) != kVectorMax) std::abort();
      benchmark::DoNotOptimize(packets);
      buffers.free(packets);
    });
  }
}
BENCHMARK(alloc_free)->Name("pool/alloc_free");

/// Both sides on one core: what the rings and the second graph cost, without what caches cost that lie apart.
void handoff(benchmark::State& state) {
  TestWorld world([](Registry& registry) { registry.node<Keep<'0'>>(); });
  Worker& one = world.worker();
  Worker two(1, 2,
             WorkerShared{world.pool(), world.graph(), world.interfaces, world.features, world.tx, world.trace,
                          world.capture});
  one.set_peers({&one, &two});
  two.begin_pass();
  const NodeIndex node = world.graph().find("keep0");
  std::vector<Packet*> packets;
  for (std::size_t i = 0; i < kVectorMax; ++i) packets.push_back(world.make(testing::Bytes(60)));
  {
    PacketTimer timer(state);
    for (auto _ : state) {
      timer.run(kVectorMax, [&] {
        for (Packet* packet : packets) {
          if (!one.hand_off(1, node, packet)) std::abort();
        }
        two.take_hand_offs();
        two.graph().run(two);
      });
    }
  }
  one.buffers().free(packets);
}
BENCHMARK(handoff)->Name("graph/handoff");

}  // namespace
}  // namespace sluice::bench
