// SPDX-License-Identifier: Apache-2.0
#include "ip/route_service.h"

#include <gtest/gtest.h>

#include "ip/route_manager.h"
#include "sluice/testing/memory_interfaces.h"

namespace sluice::ip {
namespace {

struct RouteServiceTest : ::testing::Test {
  Rcu rcu;
  IpTables tables{rcu};
  sluice::testing::MemoryInterfaces interfaces;
  RouteManager routes{tables, interfaces};
  RouteService service{routes, interfaces};
  Api api;
  InterfaceIndex eth0, eth1;

  RouteServiceTest() {
    eth0 = interfaces.add("eth0");
    eth1 = interfaces.add("eth1");
    (void)interfaces.add_address(eth0, {*IpAddress::parse("10.0.0.1"), 24});
    (void)interfaces.add_address(eth1, {*IpAddress::parse("10.1.0.1"), 24});
    (void)interfaces.add_address(eth0, {*IpAddress::parse("2001:db8::1"), 64});
    api.kind("interface", "an interface", [](const KindQuery&) { return std::vector<Candidate>{}; });
    service.offer(api);
  }

  /// "done", "unchanged" (with what was said), or the error.
  std::string change(std::string_view method, const google::protobuf::Message& request, bool dry_run = false) {
    Done done;
    CallContext call(CallContext::Origin::Socket, dry_run);
    const auto status = api.find(fmt::format("/sluice.ip.Routes/{}", method))->unary(request, done, call);
    if (!status.ok()) return text(status);
    if (!done.unchanged()) return "done";
    return done.text().empty() ? "unchanged" : "unchanged: " + done.text();
  }
  static RouteRequest route(const std::string& prefix, std::initializer_list<const char*> vias = {}) {
    RouteRequest request;
    request.set_prefix(prefix);
    for (const char* via : vias) request.add_next_hop()->set_via(via);
    return request;
  }
  std::string add(const std::string& prefix, std::initializer_list<const char*> vias) {
    return change("AddRoute", route(prefix, vias));
  }
  std::string remove(const std::string& prefix, std::initializer_list<const char*> vias = {}) {
    DeleteRouteRequest request;
    request.set_prefix(prefix);
    for (const char* via : vias) request.add_next_hop()->set_via(via);
    return change("DeleteRoute", request);
  }
  /// What comes of a batch: "2 added, 0 there", or what is refused; and how many changes are noted.
  std::string load(const std::vector<RouteRequest>& all, bool dry_run = false) {
    RouteBatch batch;
    for (const auto& request : all) *batch.add_route() = request;
    RouteBatchResult result;
    CallContext call(CallContext::Origin::Socket, dry_run);
    const auto status = api.find("/sluice.ip.Routes/LoadRoutes")->unary(batch, result, call);
    if (!status.ok()) return text(status);
    std::string said;
    for (const auto& refused : result.refused()) said += fmt::format("{}: {}\n", refused.position(), refused.why());
    if (!said.empty() && call.recorded().empty()) return said;
    return said +
           fmt::format("{} added, {} there, {} noted", result.added(), result.unchanged(), call.recorded().size());
  }
  template <class Reply, class Request>
  std::vector<Reply> list(std::string_view method, const Request& request, std::string* error = nullptr) {
    CallContext call;
    std::vector<Reply> replies;
    auto stream = api.find(fmt::format("/sluice.ip.Routes/{}", method))->streaming(request, call);
    while (stream->next() == AnyStream::Step::Value) replies.push_back(static_cast<const Reply&>(stream->value()));
    if (error) *error = text(stream->status());
    return replies;
  }
  /// prefix, source and forwarding, a line each.
  std::string fib(const std::string& prefix = {}, Family family = IP4, std::uint32_t table = 0) {
    FibQuery query;
    query.set_prefix(prefix);
    query.set_family(family);
    query.set_table(table);
    std::string lines, error;
    for (const Route& r : list<Route>("ShowFib", query, &error)) {
      lines += fmt::format("{} {} {}\n", r.prefix(), r.source(), r.forwarding());
    }
    return lines + error;
  }
};

TEST_F(RouteServiceTest, OffersEveryMethodThatIsDeclared) { EXPECT_EQ(text(api.check()), ""); }

TEST_F(RouteServiceTest, ListsTheRoutesOfAFamilyInOrder) {
  EXPECT_EQ(fib(),
            "10.0.0.0/24 connected connected eth0\n10.0.0.0/32 connected blackhole\n10.0.0.1/32 local local\n"
            "10.0.0.255/32 connected blackhole\n10.1.0.0/24 connected connected eth1\n10.1.0.0/32 connected blackhole\n"
            "10.1.0.1/32 local local\n10.1.0.255/32 connected blackhole\n");
  EXPECT_EQ(fib({}, IP6), "2001:db8::/64 connected connected eth0\n2001:db8::1/128 local local\n");
  EXPECT_EQ(fib({}, ANY), fib() + fib({}, IP6));
}

TEST_F(RouteServiceTest, ShowsTheRouteThatCountsForAnAddress) {
  EXPECT_EQ(fib("10.0.0.9"), "10.0.0.0/24 connected connected eth0\n");
  EXPECT_EQ(fib("10.0.0.0/24"), "10.0.0.0/24 connected connected eth0\n");
  EXPECT_EQ(fib("10.0.0.0/23"), "");
  EXPECT_EQ(fib("192.0.2.1"), "");
  EXPECT_EQ(fib("2001:db8::5"), "2001:db8::5: is IPv6; use show ip6 fib");
  EXPECT_EQ(fib({}, IP4, 9), "table 9: there is none; show ip table lists them");
}

TEST_F(RouteServiceTest, AddsARouteOnceAndRefusesADifferentOne) {
  EXPECT_EQ(change("AddRoute", route("192.0.2.0/24", {"10.0.0.2"}), true), "done");
  EXPECT_EQ(fib("192.0.2.1"), "") << "a dry run";
  EXPECT_EQ(add("192.0.2.0/24", {"10.0.0.2"}), "done");
  EXPECT_EQ(add("192.0.2.0/24", {"10.0.0.2"}), "unchanged");
  EXPECT_EQ(change("AddRoute", route("192.0.2.0/24", {"10.0.0.2"}), true), "unchanged");
  EXPECT_EQ(add("192.0.2.0/24", {"10.0.0.3"}),
            "route 192.0.2.0/24 exists as via 10.0.0.2, not as via 10.0.0.3; delete it first");
  EXPECT_EQ(fib("192.0.2.1"), "192.0.2.0/24 static via 10.0.0.2 eth0 (resolving)\n");
}

TEST_F(RouteServiceTest, SharesFlowsByWeightAndDeletesSingleNextHops) {
  auto request = route("192.0.2.0/24", {"10.0.0.2", "10.1.0.2"});
  request.mutable_next_hop(0)->set_weight(3);
  EXPECT_EQ(change("AddRoute", request), "done");
  routes.complete_neighbor(eth0, *IpAddress::parse("10.0.0.2"), *MacAddress::parse("02::aa"));
  EXPECT_EQ(fib("192.0.2.1"), "192.0.2.0/24 static via 10.0.0.2 eth0 75 %, via 10.1.0.2 eth1 (resolving) 25 %\n");
  EXPECT_EQ(remove("192.0.2.0/24", {"10.9.9.9"}),
            "route 192.0.2.0/24 has no next hop 10.9.9.9; it goes via 10.0.0.2 weight 3, via 10.1.0.2");
  EXPECT_EQ(remove("192.0.2.0/24", {"10.0.0.2"}), "done");
  EXPECT_EQ(fib("192.0.2.1"), "192.0.2.0/24 static via 10.1.0.2 eth1 (resolving)\n");
  EXPECT_EQ(remove("192.0.2.0/24", {"10.1.0.2"}), "done");
  EXPECT_EQ(fib("192.0.2.1"), "");
}

TEST_F(RouteServiceTest, DeletesAStaticRouteTwiceButNoOther) {
  EXPECT_EQ(add("2001:db8:1::/48", {"2001:db8::2"}), "done");
  EXPECT_EQ(remove("2001:db8:1::/48"), "done");
  EXPECT_EQ(remove("2001:db8:1::/48"), "unchanged: there is no route 2001:db8:1::/48 in table 0");
  EXPECT_EQ(remove("10.0.0.0/24"), "route 10.0.0.0/24 is not static: it is connected and goes with what made it");
}

TEST_F(RouteServiceTest, RefusesToBringAnAddressIntoATableTwice) {
  const InterfaceIndex twin = interfaces.add("twin");
  (void)interfaces.set_table(twin, 7, {}, {});
  (void)interfaces.add_address(twin, {*IpAddress::parse("fe80::1"), 64});
  (void)interfaces.add_address(eth0, {*IpAddress::parse("fe80::1"), 64});
  SetTableRequest request;
  request.set_interface("twin");
  (void)interfaces.add_address(twin, {*IpAddress::parse("10.0.0.1"), 16});
  for (const bool dry_run : {true, false}) {
    EXPECT_EQ(change("SetTable", request, dry_run),
              "interface twin: address 10.0.0.1 is on interface eth0 of table 0; delete it there first");
  }
  EXPECT_EQ(interfaces.find(twin)->table, 7u);
  (void)interfaces.remove_address(eth0, {*IpAddress::parse("10.0.0.1"), 24});
  EXPECT_EQ(change("SetTable", request), "done");
}

TEST_F(RouteServiceTest, TakesEveryActionAndTheLinkItself) {
  const auto with = [&](const char* prefix, Action action) {
    auto request = route(prefix);
    request.set_action(action);
    return change("AddRoute", request);
  };
  EXPECT_EQ(with("192.0.2.0/26", BLACKHOLE), "done");
  EXPECT_EQ(with("192.0.2.64/26", UNREACHABLE), "done");
  EXPECT_EQ(with("192.0.2.128/26", PROHIBIT), "done");
  auto on_link = route("192.0.2.192/26");
  on_link.set_interface("eth1");
  EXPECT_EQ(change("AddRoute", on_link), "done");
  EXPECT_EQ(fib("192.0.2.1") + fib("192.0.2.65") + fib("192.0.2.129") + fib("192.0.2.193"),
            "192.0.2.0/26 static blackhole\n192.0.2.64/26 static unreachable\n192.0.2.128/26 static prohibit\n"
            "192.0.2.192/26 static connected eth1\n");
  on_link.set_interface("eth9");
  EXPECT_EQ(change("AddRoute", on_link), "interface eth9 does not exist; show interface lists them");
}

TEST_F(RouteServiceTest, RefusalsLeaveNoTableBehind) {
  auto request = route("192.0.2.0/24");
  request.set_table(5);
  EXPECT_EQ(change("AddRoute", request),
            "route 192.0.2.0/24: say where to: via ADDRESS, interface NAME, blackhole, unreachable or prohibit");
  auto other_family = route("192.0.2.0/24", {"2001:db8::2"});
  other_family.set_table(5);
  EXPECT_EQ(change("AddRoute", other_family), "route 192.0.2.0/24: next hop 2001:db8::2 is of the other family");
  EXPECT_EQ(routes.tables(), std::vector<std::uint32_t>{0});
}

TEST_F(RouteServiceTest, AnInterfaceMovesToATable) {
  SetTableRequest request;
  request.set_interface("eth0");
  request.set_table(10);
  EXPECT_EQ(change("SetTable", request, true), "done");
  EXPECT_EQ(routes.tables(), std::vector<std::uint32_t>{0}) << "a dry run";
  EXPECT_EQ(change("SetTable", request), "done");
  EXPECT_EQ(change("SetTable", request), "unchanged");
  EXPECT_EQ(fib("10.0.0.9"), "");
  EXPECT_EQ(fib("10.0.0.9", IP4, 10), "10.0.0.0/24 connected connected eth0\n");
  const auto all = list<Table>("ShowTable", Nothing());
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].table(), 10u);
  EXPECT_EQ(all[1].ip4_routes(), 4u);
  EXPECT_EQ(all[1].ip6_routes(), 2u);
  ASSERT_EQ(all[1].interfaces_size(), 1);
  EXPECT_EQ(all[1].interfaces(0), "eth0");
}

TEST_F(RouteServiceTest, NeitherAPodsInterfaceMovesNorOneToATableWhereItsAddressIsAPods) {
  const auto move = [&](const char* interface, std::uint32_t table) {
    SetTableRequest request;
    request.set_interface(interface);
    request.set_table(table);
    return change("SetTable", request);
  };
  ASSERT_EQ(move("eth0", 10), "done");
  const auto pod = interfaces.create("pod/web", nullptr, "pod");
  ASSERT_TRUE(pod.ok());
  RouteSpec to_pod;
  to_pod.next_hops.push_back({.via = std::nullopt, .interface = *pod});
  ASSERT_TRUE(routes.add(0, *IpPrefix::parse("10.0.0.1/32"), RouteSource::Pod, to_pod).ok());
  EXPECT_EQ(move("eth0", 0),
            "interface eth0: address 10.0.0.1 is behind interface pod/web of table 0; delete it here or there first");
  EXPECT_EQ(fib("10.0.0.9", IP4, 10), "10.0.0.0/24 connected connected eth0\n");
  EXPECT_EQ(move("pod/web", 10), "interface pod/web belongs to a pod; delete pod web and create it in table 10");
}

TEST_F(RouteServiceTest, DetailShowsEverySourceAndTheRewrite) {
  EXPECT_EQ(add("10.0.0.2/32", {"10.1.0.2"}), "done");
  routes.complete_neighbor(eth0, *IpAddress::parse("10.0.0.2"), *MacAddress::parse("02::aa"));
  routes.complete_neighbor(eth1, *IpAddress::parse("10.1.0.2"), *MacAddress::parse("02::bb"));
  FibQuery query;
  query.set_prefix("10.0.0.2");
  const auto rows = list<RouteDetail>("ShowFibDetail", query);
  ASSERT_EQ(rows.size(), 1u);
  ASSERT_EQ(rows[0].wanted_size(), 2);
  EXPECT_EQ(rows[0].wanted(0).route(), "via 10.1.0.2");
  EXPECT_EQ(rows[0].wanted(0).state(), "");
  EXPECT_EQ(rows[0].wanted(1).source(), "neighbor");
  EXPECT_EQ(rows[0].wanted(1).state(), "not in use");
  ASSERT_EQ(rows[0].paths_size(), 1);
  EXPECT_EQ(rows[0].paths(0).interface(), "eth1");
  EXPECT_EQ(rows[0].paths(0).rewrite(), "0200000000bb0200000000020800");
}

TEST_F(RouteServiceTest, CompletesAndChecksPrefixes) {
  const Kind* kind = api.find_kind("route");
  ASSERT_NE(kind, nullptr);
  const auto found = kind->list({"10.0.0.2", nullptr});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].value, "10.0.0.255/32");
  EXPECT_TRUE(kind->validate("10.0.0.0/8").ok());
  EXPECT_TRUE(kind->validate("fd00::1").ok());
  EXPECT_FALSE(kind->validate("10.0.0.1/8").ok());
  EXPECT_FALSE(kind->validate("eth0").ok());
}

TEST_F(RouteServiceTest, LoadsABatchWholeOrNotAtAll) {
  const std::vector<RouteRequest> two{route("192.0.2.0/24", {"10.0.0.2"}), route("198.51.100.0/24", {"10.1.0.2"})};
  const auto nothing = fib({}, ANY);
  EXPECT_EQ(load(two, true), "2 added, 0 there, 2 noted");
  EXPECT_EQ(fib({}, ANY), nothing) << "a dry run";
  EXPECT_EQ(load(two), "2 added, 0 there, 2 noted");
  const auto both = fib({}, ANY);
  EXPECT_EQ(load(two), "0 added, 2 there, 0 noted");
  EXPECT_EQ(load({route("203.0.113.0/24", {"10.0.0.2"}), route("192.0.2.0/24", {"10.0.0.3"}),
                  route("2001:db8:1::/48", {"10.0.0.2"}), route("10.9.0.0/16"), route("10.8.0.0/16", {"8.8.8.8"})}),
            "1: route 192.0.2.0/24 exists as via 10.0.0.2, not as via 10.0.0.3; delete it first\n"
            "2: route 2001:db8:1::/48: next hop 10.0.0.2 is of the other family\n"
            "3: route 10.9.0.0/16: say where to: via ADDRESS, interface NAME, blackhole, unreachable or prohibit\n");
  EXPECT_EQ(fib({}, ANY), both);
  // Only adding them shows that two are not of one mind.
  EXPECT_EQ(load({two[0], route("203.0.113.0/24", {"10.0.0.2"}), route("203.0.113.0/24", {"10.0.0.3"})}),
            "2: route 203.0.113.0/24 exists as via 10.0.0.2, not as via 10.0.0.3; delete it first\n");
  EXPECT_EQ(fib({}, ANY), both);
  EXPECT_EQ(load({two[0], route("203.0.113.0/24", {"10.0.0.2"}), route("203.0.113.0/24", {"10.0.0.2"})}),
            "1 added, 2 there, 1 noted");
}

TEST_F(RouteServiceTest, TakesBatchesUpToTheirBound) {
  std::vector<RouteRequest> many;
  for (int i = 0; i <= RouteService::kBatchMax; ++i)
    many.push_back(route(fmt::format("20.{}.{}.0/24", i >> 8, i & 255), {"10.0.0.2"}));
  EXPECT_EQ(load(many), "257 routes in a batch; give at most 256");
  many.pop_back();
  EXPECT_EQ(load(many), "256 added, 0 there, 256 noted");
  EXPECT_EQ(load({}), "0 added, 0 there, 0 noted");
}

}  // namespace
}  // namespace sluice::ip
