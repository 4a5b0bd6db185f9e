// SPDX-License-Identifier: Apache-2.0
// What a lookup costs, by the size of the table, and how fast routes change beside a reader: docs/architecture.md
// quotes these figures. The reader works in stages over vectors of 256 random addresses that have routes, as the lookup
// kernels do.
#include <sluice/fib.h>
#include <sluice/testing/packet_bench.h>

#include <algorithm>
#include <thread>

#include "bgp_routes.h"

namespace sluice::bench {
namespace {

enum class Routes : std::uint8_t { Bgp, Hosts };

constexpr std::uint32_t kTargets = 4096;

template <class Address>
std::vector<Prefix<Address>> make_prefixes(std::size_t count, Routes routes) {
  if constexpr (Address::kBits == 32) {
    if (routes == Routes::Hosts) return host_prefixes(count);
  }
  return bgp_prefixes<Address>(count);
}

template <class Address>
struct Table {
  Rcu rcu;
  FibNodes nodes{rcu};
  Fib<Address> fib{nodes};
  std::vector<Prefix<Address>> prefixes;
  std::vector<Address> destinations;
  RouteRandom random{3};

  explicit Table(std::size_t count, Routes routes) : prefixes(make_prefixes<Address>(count, routes)) {
    for (const auto& prefix : prefixes) add(prefix);
    destinations = random_destinations(prefixes, kVectorMax * 1024);
  }
  void add(const Prefix<Address>& prefix) {
    if (!fib.set(prefix, ForwardingIndex{random.below(kTargets) + 1}).ok()) std::abort();
  }
  double bytes() const { return static_cast<double>(nodes.bytes() + fib.bytes()); }
};

// Prepare, kSteps times step, finish, as ip4-lookup and ip6-lookup.
template <class Address>
void look_up(const Fib<Address>& fib, const FibNodes& nodes, const Address* addresses, std::uint32_t* found) {
  constexpr unsigned kSteps = Address::kBits == 32 ? 2 : 4;
  std::array<const FibNodes::Entry*, kVectorMax> entries;
  for (std::size_t i = 0; i < kVectorMax; ++i) {
    entries[i] = fib.first(addresses[i]);
    __builtin_prefetch(entries[i]);
    found[i] = FibNodes::kAtRoot;
  }
  for (unsigned step = 0; step < kSteps; ++step) {
    for (std::size_t i = 0; i < kVectorMax; ++i) nodes.step(found[i], entries[i], addresses[i]);
  }
  for (std::size_t i = 0; i < kVectorMax; ++i) {
    while (!fib.is_leaf(found[i])) nodes.step(found[i], entries[i], addresses[i]);
  }
}

template <class Address>
void fib_lookup(benchmark::State& state, std::size_t count, Routes routes) {
  const Table<Address> table(count, routes);
  std::array<std::uint32_t, kVectorMax> found;
  {
    testing::PacketTimer timer(state);
    std::size_t at = 0;
    for (auto _ : state) {
      timer.run(kVectorMax, [&] {
        look_up(table.fib, table.nodes, table.destinations.data() + at, found.data());
        benchmark::DoNotOptimize(found);
      });
      at = (at + kVectorMax) % table.destinations.size();
    }
  }
  for (const std::uint32_t value : found) {
    if (value == 0) state.SkipWithError("an address of a route was not found");
  }
  state.counters["MB"] = table.bytes() / 1e6;
  state.counters["bytes_per_route"] = table.bytes() / static_cast<double>(count);
}

/// A worker's part: looks up vectors and says how many.
class Reader {
 public:
  explicit Reader(const Table<Ip4Address>& table) : thread_([this, &table] { run(table); }) {}
  ~Reader() {
    stop_.store(true, std::memory_order_relaxed);
    thread_.join();
  }
  /// CPU cycles a lookup in what this thread has had of a CPU while body ran.
  template <class F>
  double cycles_during(F&& body) {
    const std::uint64_t cycles = cycles_.load(), vectors = vectors_.load();
    body();
    while (vectors_.load() == vectors) std::this_thread::yield();
    return static_cast<double>(cycles_.load() - cycles) / static_cast<double>(vectors_.load() - vectors) / kVectorMax;
  }

 private:
  void run(const Table<Ip4Address>& table) {
    Rcu::register_reader();
    std::array<std::uint32_t, kVectorMax> found;
    std::size_t at = 0;
    while (!stop_.load(std::memory_order_relaxed)) {
      const std::uint64_t before = tsc();
      for (unsigned i = 0; i < kBatch; ++i) {
        look_up(table.fib, table.nodes, table.destinations.data() + at, found.data());
        benchmark::DoNotOptimize(found);
        at = (at + kVectorMax) % table.destinations.size();
        Rcu::quiescent();
      }
      cycles_.fetch_add(tsc() - before, std::memory_order_relaxed);
      vectors_.fetch_add(kBatch, std::memory_order_relaxed);
    }
    Rcu::unregister_reader();
  }

  static constexpr unsigned kBatch = 16;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> cycles_{0}, vectors_{0};
  std::thread thread_;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// Each iteration deletes and adds routes at random and then lets the reader alone for about as long. "Packets" are
// updates.
void fib_update(benchmark::State& state, std::size_t count) {
  constexpr std::size_t kUpdates = 20000;
  Table<Ip4Address> table(count, Routes::Bgp);
  // Half of these are in the table at any time.
  auto others = bgp_prefixes<Ip4Address>(count / 10, 7);
  std::vector<double> alone, beside, rates;
  {
    Reader reader(table);
    testing::PacketTimer timer(state);
    RouteRandom random(5);
    for (auto _ : state) {
      const std::uint64_t start = tsc();
      beside.push_back(reader.cycles_during([&] {
        timer.run(kUpdates, [&] {
          for (std::size_t i = 0; i < kUpdates; i += 2) {
            Prefix4& gone = table.prefixes[random.below(static_cast<std::uint32_t>(table.prefixes.size()))];
            Prefix4& come = others[random.below(static_cast<std::uint32_t>(others.size()))];
            table.fib.remove(gone);
            table.add(come);
            std::swap(gone, come);
          }
        });
      }));
      const std::uint64_t took = tsc() - start;
      rates.push_back(static_cast<double>(kUpdates) * static_cast<double>(tsc_hz()) / static_cast<double>(took));
      alone.push_back(reader.cycles_during([&] {
        while (tsc() - start < 2 * took) benchmark::DoNotOptimize(took);
      }));
    }
  }
  state.counters["updates_per_second"] = median(rates);
  state.counters["reader_alone_cycles"] = median(alone);
  state.counters["reader_share"] = median(alone) / median(beside);
  state.counters["MB"] = table.bytes() / 1e6;
}

constexpr auto fib4_lookup = fib_lookup<Ip4Address>;
constexpr auto fib6_lookup = fib_lookup<Ip6Address>;

BENCHMARK_CAPTURE(fib4_lookup, 10, 10, Routes::Bgp)->Name("fib4/lookup/10");
BENCHMARK_CAPTURE(fib4_lookup, 1000, 1000, Routes::Bgp)->Name("fib4/lookup/1000");
BENCHMARK_CAPTURE(fib4_lookup, 100000, 100000, Routes::Bgp)->Name("fib4/lookup/100000");
BENCHMARK_CAPTURE(fib4_lookup, 500000, 500000, Routes::Bgp)->Name("fib4/lookup/500000");
BENCHMARK_CAPTURE(fib4_lookup, 1000000, 1000000, Routes::Bgp)->Name("fib4/lookup/1000000");
BENCHMARK_CAPTURE(fib4_lookup, hosts, 1000000, Routes::Hosts)->Name("fib4/lookup/1000000_host");
BENCHMARK_CAPTURE(fib6_lookup, 10, 10, Routes::Bgp)->Name("fib6/lookup/10");
BENCHMARK_CAPTURE(fib6_lookup, 1000, 1000, Routes::Bgp)->Name("fib6/lookup/1000");
BENCHMARK_CAPTURE(fib6_lookup, 250000, 250000, Routes::Bgp)->Name("fib6/lookup/250000");
BENCHMARK_CAPTURE(fib_update, 1000000, 1000000)->Name("fib4/update/1000000");

}  // namespace
}  // namespace sluice::bench
