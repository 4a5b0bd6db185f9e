// SPDX-License-Identifier: Apache-2.0
// What a packet costs on its way from ethernet-input to a null device.
#include "bgp_routes.h"
#include "graph/forward_world.h"
#include "graph/session_lookup.h"

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
void forward(benchmark::State& state, const Routes& routes, const Load& load = {}, bool fused = true) {
  ForwardWorld world;
  world.world.worker().graph().use_chains(fused);
  set_routes(world, routes);
  world.measure(state, random_destinations(routes, kDestinations), load);
  state.counters["MB"] = static_cast<double>(world.route_bytes()) / 1e6;
}

void ip4_forward(benchmark::State& state, std::size_t routes) { forward(state, bgp_prefixes<Ip4Address>(routes)); }
void ip4_forward_unfused(benchmark::State& state, std::size_t routes) {
  forward(state, bgp_prefixes<Ip4Address>(routes), {}, false);
}
void ip4_forward_host(benchmark::State& state, std::size_t routes) { forward(state, host_prefixes(routes)); }
void ip6_forward(benchmark::State& state, std::size_t routes) { forward(state, bgp_prefixes<Ip6Address>(routes)); }
void ip4_forward_vector(benchmark::State& state) {
  forward(state, bgp_prefixes<Ip4Address>(1000), {.vector = static_cast<std::size_t>(state.range(0))});
}
void ip4_forward_size(benchmark::State& state) {
  const auto frame = static_cast<std::size_t>(state.range(0));
  forward(state, bgp_prefixes<Ip4Address>(1000), {.frame = frame});
}
/// One packet in a thousand is traced.
void trace_on(benchmark::State& state) { forward(state, bgp_prefixes<Ip4Address>(1000), {.trace_each = 1000}); }

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

/// The session lookup alone, with about a million sessions: what it finds is not acted upon.
void ip4_forward_session(benchmark::State& state) {
  SessionTable table(kDestinations);
  ForwardWorld world([&](Registry& registry) { registry.feature<SessionLookup>(table); });
  const auto routes = bgp_prefixes<Ip4Address>(1000);
  set_routes(world, routes);
  const auto destinations = random_destinations(routes, kDestinations);
  world.for_each_packet(destinations, [&](const Packet& packet) { table.add(packet); });
  world.enable("ip4-unicast", world.in, {"session-lookup"});
  world.measure(state, destinations);
  state.counters["sessions"] = table.count();
}

BENCHMARK_CAPTURE(ip4_forward, 1000, 1000)->Name("graph/ip4_forward/1000");
BENCHMARK_CAPTURE(ip4_forward_unfused, 1000, 1000)->Name("graph/ip4_forward/1000/unfused");
BENCHMARK_CAPTURE(ip4_forward, 10, 10)->Name("graph/ip4_forward/10");
BENCHMARK_CAPTURE(ip4_forward, 100000, 100000)->Name("graph/ip4_forward/100000");
BENCHMARK_CAPTURE(ip4_forward, 500000, 500000)->Name("graph/ip4_forward/500000");
BENCHMARK_CAPTURE(ip4_forward, 1000000, 1000000)->Name("graph/ip4_forward/1000000");
BENCHMARK_CAPTURE(ip4_forward_host, 1000000, 1000000)->Name("graph/ip4_forward/1000000_host");
BENCHMARK_CAPTURE(ip6_forward, 1000, 1000)->Name("graph/ip6_forward/1000");
BENCHMARK_CAPTURE(ip6_forward, 250000, 250000)->Name("graph/ip6_forward/250000");
BENCHMARK(ip4_forward_vector)->Name("graph/ip4_forward_vector")->Arg(4)->Arg(8)->Arg(16)->Arg(32)->Arg(64);
BENCHMARK(ip4_forward_features)->Name("graph/ip4_forward_features")->Arg(1)->Arg(2);
BENCHMARK(ip4_forward_session)->Name("graph/ip4_forward_session");
BENCHMARK(ip4_forward_size)
    ->Name("graph/ip4_forward_size")
    ->Arg(64)
    ->Arg(128)
    ->Arg(256)
    ->Arg(512)
    ->Arg(1024)
    ->Arg(1518);
BENCHMARK(trace_on)->Name("graph/trace_on");

}  // namespace
}  // namespace sluice::bench
