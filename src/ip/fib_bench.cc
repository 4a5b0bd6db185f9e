// SPDX-License-Identifier: Apache-2.0
// What a lookup costs, by the size of the table: docs/architecture.md quotes these figures. The reader works in stages
// over vectors of 256 random addresses that have routes, as the lookup kernels do.
#include <sluice/fib.h>
#include <sluice/testing/packet_bench.h>

#include <random>

namespace sluice {
namespace {

using Random = std::mt19937_64;

std::uint8_t pick(Random& random, std::initializer_list<std::pair<int, std::uint8_t>> shares) {
  int at = static_cast<int>(random() % 100);
  for (const auto& [share, length] : shares) {
    if ((at -= share) < 0) return length;
  }
  return shares.begin()->second;
}

// Lengths as in a full table of the Internet: mostly /24, in unicast space.
Prefix4 random_prefix(Random& random, Ip4Address) {
  const auto address = static_cast<std::uint32_t>((1 + random() % 222) << 24 | random() % (1u << 24));
  return Prefix4::of(Ip4Address(address),
                     pick(random, {{60, 24}, {10, 23}, {12, 22}, {5, 21}, {5, 20}, {5, 19}, {3, 16}}));
}

// A registry's blocks (a few hundred /16) hold providers' /32, and those most of what is announced.
Prefix6 random_prefix(Random& random, Ip6Address) {
  const std::uint64_t provider = random() % 40000;
  Random block(provider);
  Ip6Address address;
  address.bytes[0] = static_cast<std::uint8_t>(0x20 + block() % 11);
  address.bytes[1] = static_cast<std::uint8_t>(block() % 32);
  for (std::size_t i = 2; i < 4; ++i) address.bytes[i] = static_cast<std::uint8_t>(block());
  for (std::size_t i = 4; i < 16; ++i) address.bytes[i] = static_cast<std::uint8_t>(random());
  return Prefix6::of(address, pick(random, {{47, 48}, {15, 44}, {12, 40}, {8, 36}, {15, 32}, {3, 64}}));
}

template <class Address>
struct Table {
  Rcu rcu;
  FibNodes nodes{rcu};
  Fib<Address> fib{nodes};
  std::vector<Address> hits;

  explicit Table(std::size_t routes) {
    Random random(1);
    while (fib.prefixes().size() < routes) {
      const auto prefix = random_prefix(random, Address{});
      if (!fib.set(prefix, ForwardingIndex{static_cast<std::uint32_t>(random() % 4096 + 1)}).ok()) std::abort();
    }
    std::vector<Prefix<Address>> all;
    for (const auto& [prefix, target] : fib.prefixes()) all.push_back(prefix);
    for (std::size_t i = 0; i < kVectorMax * 256; ++i) {
      const auto& prefix = all[random() % all.size()];
      Address ones;
      for (auto& byte : ones.bytes) byte = 0xff;
      const Address mask = Prefix<Address>::of(ones, prefix.length).address;
      Address address = prefix.address;
      for (std::size_t byte = 0; byte < address.bytes.size(); ++byte) {
        address.bytes[byte] |= static_cast<std::uint8_t>(random() & static_cast<std::uint8_t>(~mask.bytes[byte]));
      }
      hits.push_back(address);
    }
  }
};

// Prepare, kSteps times step, finish, as ip4-lookup and ip6-lookup.
template <class Address, unsigned kSteps>
void look_up(const Fib<Address>& fib, const FibNodes& nodes, const Address* addresses, std::uint32_t* found) {
  std::array<const FibNodes::Entry*, kVectorMax> entries;
  for (std::size_t i = 0; i < kVectorMax; ++i) {
    entries[i] = fib.first(addresses[i]);
    __builtin_prefetch(entries[i]);
    found[i] = 0;
  }
  for (unsigned step = 0; step < kSteps; ++step) {
    for (std::size_t i = 0; i < kVectorMax; ++i) {
      if (!entries[i]) continue;
      found[i] = nodes.read(found[i], entries[i], addresses[i]);
      entries[i] = FibNodes::is_leaf(found[i]) ? nullptr : nodes.locate(found[i], addresses[i]);
    }
  }
  for (std::size_t i = 0; i < kVectorMax; ++i) {
    while (entries[i]) {
      found[i] = nodes.read(found[i], entries[i], addresses[i]);
      entries[i] = FibNodes::is_leaf(found[i]) ? nullptr : nodes.locate(found[i], addresses[i]);
    }
  }
}

template <class Address, unsigned kSteps>
void fib_lookup(benchmark::State& state) {
  const Table<Address> table(static_cast<std::size_t>(state.range(0)));
  std::array<std::uint32_t, kVectorMax> found;
  {
    testing::PacketTimer timer(state);
    std::size_t at = 0;
    for (auto _ : state) {
      timer.run(kVectorMax, [&] {
        look_up<Address, kSteps>(table.fib, table.nodes, table.hits.data() + at, found.data());
        benchmark::DoNotOptimize(found);
      });
      at = (at + kVectorMax) % table.hits.size();
    }
  }
  for (std::size_t i = 0; i < kVectorMax; ++i) {
    if (found[i] == 0) state.SkipWithError("an address of a route was not found");
  }
  state.counters["nodes"] = table.nodes.used();
  state.counters["MB"] = static_cast<double>(table.nodes.bytes()) / 1e6;
}

BENCHMARK(fib_lookup<Ip4Address, 2>)->Name("fib4_lookup")->Arg(10)->Arg(1000)->Arg(1000000);
BENCHMARK(fib_lookup<Ip6Address, 4>)->Name("fib6_lookup")->Arg(10)->Arg(1000)->Arg(250000);

}  // namespace
}  // namespace sluice

BENCHMARK_MAIN();
