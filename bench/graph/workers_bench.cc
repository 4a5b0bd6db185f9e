// SPDX-License-Identifier: Apache-2.0
// Two queues of one null device, forwarded by one worker and by two: real worker threads, the whole graph from receive
// queue to transmit queue. What both worlds make is measured in turns, so that others on the machine meet both alike.
#include <benchmark/benchmark.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <vector>

#include "interface/feature_manager.h"
#include "interface/flow_handoff.h"
#include "interface/interface_manager.h"
#include "interface/offload_nodes.h"
#include "ip/nodes.h"
#include "null/device.h"
#include "sluice/clock.h"
#include "sluice/fib.h"
#include "sluice/net/ethernet.h"

namespace sluice::bench {
namespace {

constexpr std::uint16_t kQueues = 2;
constexpr std::uint32_t kFlows = 1000;
constexpr auto kTurn = std::chrono::milliseconds(200), kBegin = std::chrono::milliseconds(20);

/// What a world made in a turn.
struct Made {
  double packets = 0, seconds = 0;
  double cpu_seconds = 0;  ///< of all workers
  double of_cpu = 0;  ///< packets a second of each worker's own CPU time, summed: what others took away is left out
};

class WorkersWorld {
 public:
  explicit WorkersWorld(unsigned workers, std::uint16_t queues = kQueues, bool rss = false)
      : dataplane_(make(workers)), ip_(dataplane_->rcu()) {
    register_ip_nodes(registry_, ip_);
    register_offload_nodes(registry_);
    registry_.driver("null");
    if (!dataplane_->build(registry_).ok()) std::abort();
    interfaces_ = std::make_unique<InterfaceManager>(*dataplane_);
    features_ = std::make_unique<FeatureManager>(*dataplane_, *interfaces_);
    in_ = add({.name = "in", .source = true, .to = Ip4Address(0xc6120002), .queues = queues, .flows = kFlows});
    out_ = add({.name = "out", .queues = kQueues});
    ip_.tables.ip4.set(TableIndex{0}, &fib_);
    Forwarding hop;
    hop.kind = ForwardingKind::Adjacency;
    hop.interface = out_;
    const EthernetHeader header{MacAddress{{2, 1}}, MacAddress{{2, 2}}, be16(kEthertypeIp4)};
    hop.rewrite_length = sizeof header;
    std::memcpy(hop.rewrite.data(), &header, sizeof header);
    if (!fib_.set({}, *ip_.tables.forwarding.add(std::move(hop))).ok()) std::abort();
    if (rss && !features_->enable(in_, FlowHandoff::kInfo.name).ok()) std::abort();
    set_up(out_, true);
    dataplane_->start();
  }
  ~WorkersWorld() {
    // The features listen to what becomes of interfaces.
    for (const InterfaceIndex index : {in_, out_}) (void)interfaces_->remove(index, {});
    features_.reset();
    interfaces_.reset();
    dataplane_->rcu().drain();
    dataplane_->drop_workers();
  }

  Made turn() {
    set_up(in_, true);
    std::this_thread::sleep_for(kBegin);
    const auto before = read();
    const auto start = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(kTurn);
    const auto after = read();
    Made made;
    made.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    set_up(in_, false);
    for (std::size_t w = 0; w < before.size(); ++w) {
      const auto packets = static_cast<double>(after[w].packets - before[w].packets);
      const double cpu = std::chrono::duration<double>(after[w].cpu - before[w].cpu).count();
      made.packets += packets;
      made.cpu_seconds += cpu;
      if (cpu > 0) made.of_cpu += packets / cpu;
    }
    return made;
  }

  /// What handing over costs at flow-handoff, the hash included, and how much of it found a full ring.
  void report_handing(benchmark::State& state) const {
    const NodeIndex node = dataplane_->graph().find(FlowHandoff::kInfo.name);
    std::uint64_t cycles = 0, packets = 0, sent = 0, lost = 0;
    for (const auto& thread : dataplane_->workers()) {
      const Worker& worker = thread->worker();
      cycles += worker.graph().node(node).cycles.get();
      packets += worker.graph().node(node).packets.get();
      sent += worker.sent_handoffs.get();
      lost += worker.lost_handoffs.get();
    }
    if (packets == 0) return;
    state.counters["cycles/flow-handoff"] = static_cast<double>(cycles) / static_cast<double>(packets);
    state.counters["lost_share"] = static_cast<double>(lost) / static_cast<double>(sent + lost);
  }

 private:
  struct Reading {
    std::uint64_t packets;
    std::chrono::nanoseconds cpu;
  };
  static std::unique_ptr<Dataplane> make(unsigned workers) {
    // A core for each, as a node has it; the scheduler may well leave both on one.
    cpu_set_t usable;
    CPU_ZERO(&usable);
    sched_getaffinity(0, sizeof usable, &usable);
    std::vector<int> cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE && cpus.size() < workers; ++cpu) {
      if (CPU_ISSET(cpu, &usable)) cpus.push_back(cpu);
    }
    if (cpus.size() < workers) cpus.clear();
    auto made = Dataplane::create({.workers = workers, .cpus = cpus, .pool = {.buffers = 8192}}, {});
    if (!made.ok()) std::abort();
    return std::move(*made);
  }
  InterfaceIndex add(const null::Options& options) {
    const auto index = interfaces_->create(options.name, std::make_unique<null::NullDevice>(options));
    if (!index.ok()) std::abort();
    return *index;
  }
  void set_up(InterfaceIndex index, bool up) {
    if (!interfaces_->set_state(index, up).ok()) std::abort();
    dataplane_->rcu().drain();
  }
  std::vector<Reading> read() {
    std::vector<Reading> all;
    for (auto& thread : dataplane_->workers()) {
      all.push_back({thread->worker().counters(out_)[InterfaceCounter::TxPackets].get(), thread->cpu_time()});
    }
    return all;
  }

  std::unique_ptr<Dataplane> dataplane_;
  IpState ip_;
  Fib<Ip4Address> fib_{ip_.tables.nodes4};
  Registry registry_;
  std::unique_ptr<InterfaceManager> interfaces_;
  std::unique_ptr<FeatureManager> features_;
  InterfaceIndex in_, out_;
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// world beside one with a single worker and as many queues. Turns in which workers had to share their cores with
/// others say nothing of them; they count only when there are no other ones.
void measure(benchmark::State& state, WorkersWorld* world, unsigned workers, std::uint16_t queues) {
  constexpr double kOwn = 0.9;
  WorkersWorld single(1, queues);
  std::vector<std::pair<Made, Made>> all, own;
  for (auto _ : state) {
    const Made one = single.turn();
    const Made made = world ? world->turn() : one;
    state.SetIterationTime(made.seconds);
    if (one.packets == 0 || made.packets == 0) return state.SkipWithError("nothing was forwarded");
    all.emplace_back(one, made);
    const bool alone = one.cpu_seconds > kOwn * one.seconds && made.cpu_seconds > kOwn * workers * made.seconds;
    if (alone) own.emplace_back(one, made);
  }
  const auto& turns = own.empty() ? all : own;
  const auto report = [&](const char* name, auto&& value) {
    std::vector<double> values;
    for (const auto& [one, made] : turns) values.push_back(value(one, made));
    state.counters[name] = median(std::move(values));
  };
  report("Mpps", [](const Made&, const Made& made) { return made.packets / made.seconds / 1e6; });
  report("Mpps_of_cpu", [](const Made&, const Made& made) { return made.of_cpu / 1e6; });
  report("cycles_per_packet",
         [](const Made&, const Made& made) { return made.cpu_seconds * static_cast<double>(tsc_hz()) / made.packets; });
  state.counters["turns_alone"] = static_cast<double>(own.size());
  if (!world) return;
  report("ratio",
         [](const Made& one, const Made& made) { return made.packets / made.seconds / (one.packets / one.seconds); });
  report("ratio_of_cpu", [](const Made& one, const Made& made) { return made.of_cpu / one.of_cpu; });
  world->report_handing(state);
}

void one_worker(benchmark::State& state) { measure(state, nullptr, 1, kQueues); }
void two_workers(benchmark::State& state) {
  WorkersWorld world(2);
  measure(state, &world, 2, kQueues);
}
/// One queue: half of its packets are the other worker's by their flows.
void handed_over(benchmark::State& state) {
  WorkersWorld world(2, 1, true);
  measure(state, &world, 2, 1);
}

BENCHMARK(one_worker)->Name("device/workers/1")->UseManualTime()->Iterations(10);
BENCHMARK(two_workers)->Name("device/workers/2")->UseManualTime()->Iterations(10);
BENCHMARK(handed_over)->Name("device/workers/rss")->UseManualTime()->Iterations(10);

}  // namespace
}  // namespace sluice::bench
