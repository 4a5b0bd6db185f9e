// SPDX-License-Identifier: Apache-2.0
// What a packet costs on its way from ethernet-input to a null device.
#include "bgp_routes.h"
#include "graph/forward_world.h"

namespace sluice::bench {
namespace {

/// How many destinations follow each other: so many that what they need of a large table does not stay in a cache.
constexpr std::size_t kDestinations = std::size_t{1} << 20;

void set_routes(ForwardWorld& w, const std::vector<Prefix4>& routes) {
  std::size_t i = 0;
  for (const auto& prefix : routes) {
    if (!w.fib4.set(prefix, w.hops4[i++ % w.hops4.size()]).ok()) std::abort();
  }
}
void set_routes(ForwardWorld& w, const std::vector<Prefix6>& routes) {
  std::size_t i = 0;
  for (const auto& prefix : routes) {
    if (!w.fib6.set(prefix, w.hops6[i++ % w.hops6.size()]).ok()) std::abort();
  }
}

template <class Routes>
void forward(benchmark::State& state, const Routes& routes, std::size_t vector = kVectorMax, bool fused = true) {
  ForwardWorld world;
  world.world.worker().graph().use_chains(fused);
  set_routes(world, routes);
  world.measure(state, random_destinations(routes, kDestinations), vector);
}

void ip4_forward(benchmark::State& state, std::size_t routes) { forward(state, bgp_prefixes<Ip4Address>(routes)); }
void ip4_forward_unfused(benchmark::State& state, std::size_t routes) {
  forward(state, bgp_prefixes<Ip4Address>(routes), kVectorMax, false);
}
void ip4_forward_host(benchmark::State& state, std::size_t routes) { forward(state, host_prefixes(routes)); }
void ip6_forward(benchmark::State& state, std::size_t routes) { forward(state, bgp_prefixes<Ip6Address>(routes)); }
void ip4_forward_vector(benchmark::State& state) {
  forward(state, bgp_prefixes<Ip4Address>(1000), static_cast<std::size_t>(state.range(0)));
}

/// A feature that does nothing: what is left is what the framework costs.
template <char Which>
struct Empty {
  static constexpr char kName[] = {'e', 'm', 'p', 't', 'y', '-', Which, 0};
  static constexpr NodeInfo kInfo{kName, "does nothing"};
  static constexpr FeatureInfo kFeature{.arc = "ip4-unicast"};
  enum class Next : std::uint8_t { Continue };
  enum class Drop : std::uint8_t {};
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {};
  static constexpr std::string_view why(Drop) { return ""; }
  Verdict operator()(Packet&, Worker&, Trace*) const noexcept { return Next::Continue; }
};

void ip4_forward_features(benchmark::State& state) {
  ForwardWorld world([](Registry& registry) {
    registry.feature<Empty<'a'>>();
    registry.feature<Empty<'b'>>();
  });
  const auto routes = bgp_prefixes<Ip4Address>(1000);
  set_routes(world, routes);
  std::vector<std::string_view> features{"empty-a", "empty-b"};
  features.resize(static_cast<std::size_t>(state.range(0)));
  world.enable("ip4-unicast", world.in, features);
  world.measure(state, random_destinations(routes, kDestinations));
}

/// One packet in a thousand is traced.
void trace_on(benchmark::State& state) {
  ForwardWorld world;
  const auto routes = bgp_prefixes<Ip4Address>(1000);
  set_routes(world, routes);
  world.measure(state, random_destinations(routes, kDestinations), kVectorMax, 1000);
}

BENCHMARK_CAPTURE(ip4_forward, 1000, 1000)->Name("graph/ip4_forward/1000");
BENCHMARK_CAPTURE(ip4_forward_unfused, 1000, 1000)->Name("graph/ip4_forward/1000/unfused");
BENCHMARK_CAPTURE(ip4_forward, 500000, 500000)->Name("graph/ip4_forward/500000");
BENCHMARK_CAPTURE(ip4_forward, 1000000, 1000000)->Name("graph/ip4_forward/1000000");
BENCHMARK_CAPTURE(ip4_forward_host, 1000000, 1000000)->Name("graph/ip4_forward/1000000_host");
BENCHMARK_CAPTURE(ip6_forward, 1000, 1000)->Name("graph/ip6_forward/1000");
BENCHMARK_CAPTURE(ip6_forward, 250000, 250000)->Name("graph/ip6_forward/250000");
BENCHMARK(ip4_forward_vector)->Name("graph/ip4_forward_vector")->Arg(4)->Arg(8)->Arg(16)->Arg(32)->Arg(64);
BENCHMARK(ip4_forward_features)->Name("graph/ip4_forward_features")->Arg(1)->Arg(2);
BENCHMARK(trace_on)->Name("graph/trace_on");

}  // namespace
}  // namespace sluice::bench
