// SPDX-License-Identifier: Apache-2.0
#include "ip/neighbor_service.h"

#include <gtest/gtest.h>

#include "ip/local_registry.h"
#include "ip/route_manager.h"
#include "sluice/testing/memory_interfaces.h"

namespace sluice::ip {
namespace {

struct NeighborServiceTest : ::testing::Test {
  Rcu rcu;
  IpState state{rcu};
  sluice::testing::MemoryInterfaces interfaces;
  RouteManager routes{state.tables, interfaces};
  std::vector<FrameBytes> sent;
  NeighborManager neighbors{state, routes, interfaces,
                            [this](InterfaceIndex, const FrameBytes& f) { sent.push_back(f); }, [] {}};
  AddressKeeper addresses{state, interfaces, [this](InterfaceIndex, const FrameBytes& f) { sent.push_back(f); }};
  LocalRegistry local{state, interfaces};
  NeighborService service{state, neighbors, addresses, local, interfaces};
  Api api;
  InterfaceIndex eth = interfaces.add("eth0");

  NeighborServiceTest() {
    (void)interfaces.add_address(eth, {*IpAddress::parse("10.0.0.1"), 24});
    api.kind("interface", "an interface", [](const KindQuery&) { return std::vector<Candidate>{}; });
    service.offer(api);
  }
  std::string change(std::string_view method, const google::protobuf::Message& request, bool dry_run = false) {
    Done done;
    CallContext call(CallContext::Origin::Socket, dry_run);
    const auto status = api.find(fmt::format("/sluice.ip.Neighbors/{}", method))->unary(request, done, call);
    if (!status.ok()) return text(status);
    return done.unchanged() ? "unchanged" : "done";
  }
  static NeighborRequest neighbor(const std::string& interface = "eth0", const std::string& mac = "02::2") {
    NeighborRequest request;
    request.set_address("10.0.0.2");
    request.set_mac(mac);
    request.set_interface(interface);
    return request;
  }
  std::string list() {
    CallContext call;
    std::string lines;
    const NeighborQuery all;  // outlives the stream
    auto stream = api.find("/sluice.ip.Neighbors/ShowNeighbor")->streaming(all, call);
    while (stream->next() == AnyStream::Step::Value) {
      const auto& n = static_cast<const Neighbor&>(stream->value());
      lines += fmt::format("{} {} {} {}\n", n.address(), n.mac(), n.interface(), n.state());
    }
    return lines;
  }
};

TEST_F(NeighborServiceTest, OffersEveryMethodThatIsDeclared) { EXPECT_EQ(text(api.check()), ""); }

TEST_F(NeighborServiceTest, AddsListsAndDeletesAPermanentNeighbour) {
  EXPECT_EQ(change("AddNeighbor", neighbor(), true), "done");
  EXPECT_EQ(list(), "") << "a dry run changes nothing";
  EXPECT_EQ(change("AddNeighbor", neighbor()), "done");
  EXPECT_EQ(change("AddNeighbor", neighbor()), "unchanged");
  EXPECT_EQ(list(), "10.0.0.2 02:00:00:00:00:02 eth0 permanent\n");
  DeleteNeighborRequest request;
  request.set_address("10.0.0.2");
  request.set_interface("eth0");
  EXPECT_EQ(change("DeleteNeighbor", request), "done");
  EXPECT_EQ(change("DeleteNeighbor", request), "unchanged");
}

TEST_F(NeighborServiceTest, ListsWhoIsAskedForAndWhoTakesItsAddress) {
  neighbors.wanted({eth, *IpAddress::parse("10.0.0.9")});
  addresses.conflict({eth, *IpAddress::parse("10.0.0.1"), *MacAddress::parse("02::99")});
  EXPECT_EQ(list(), "10.0.0.9  eth0 incomplete\n10.0.0.1 02:00:00:00:00:99 eth0 duplicate\n");
}

TEST_F(NeighborServiceTest, NamesWhatIsWrong) {
  EXPECT_EQ(change("AddNeighbor", neighbor("eth7")), "interface eth7 does not exist; show interface lists them");
  EXPECT_EQ(change("AddNeighbor", neighbor("eth0", "33:33::1")),
            "neighbor 10.0.0.2 at 33:33:00:00:00:01: both must be unicast addresses");
  PuntRequest punt;
  punt.set_interface("eth0");
  punt.set_mac("33:33::1");
  EXPECT_EQ(change("SetPunt", punt), "mac 33:33::1: must be a unicast address");
}

TEST_F(NeighborServiceTest, ChoosesWhereTheHostsPacketsGo) {
  PuntRequest request;
  request.set_interface("eth0");
  EXPECT_EQ(change("SetPunt", request), "done");
  EXPECT_EQ(change("SetPunt", request), "unchanged");
  Punt punt;
  CallContext call;
  EXPECT_TRUE(api.find("/sluice.ip.Neighbors/ShowPunt")->unary(Nothing{}, punt, call).ok());
  EXPECT_EQ(punt.interface(), "eth0");
  EXPECT_EQ(change("DeletePunt", Nothing{}), "done");
  EXPECT_EQ(change("DeletePunt", Nothing{}), "unchanged");
}

}  // namespace
}  // namespace sluice::ip
