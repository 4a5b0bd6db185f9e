// SPDX-License-Identifier: Apache-2.0
// The operations of route.proto.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "ip/route.pb.h"
#include "sluice/api.h"
#include "sluice/interfaces.h"
#include "sluice/routes.h"

namespace sluice::ip {

class RouteService {
 public:
  /// Routes in a batch: what takes about a millisecond.
  static constexpr int kBatchMax = 256;

  RouteService(sluice::Routes& routes, Interfaces& interfaces) : routes_(routes), interfaces_(interfaces) {}
  void offer(Api& api);

 private:
  Status add(const RouteRequest& request, Done& done, CallContext& call);
  Status load(const RouteBatch& batch, RouteBatchResult& result, CallContext& call);
  Status remove(const DeleteRouteRequest& request, Done& done, CallContext& call);
  Stream<Route> show(const FibQuery& query);
  Stream<RouteDetail> show_detail(const FibQuery& query);
  Stream<Table> show_tables(const Nothing&);
  Status set_table(const SetTableRequest& request, Done& done, CallContext& call);

  // route_load.cc
  struct Asked;
  StatusOr<Asked> ask(const RouteRequest& request, const CallContext& call) const;
  bool add_all(std::vector<Asked>& all, RouteBatchResult& result);

  StatusOr<sluice::NextHop> next_hop(const NextHop& message) const;
  StatusOr<RouteSpec> spec_of(const RouteRequest& request) const;
  Status remove_all(std::uint32_t table, const IpPrefix& prefix, Done& done, bool dry_run);
  /// Whether the interface may be looked up in that table: it is no pod's, and its addresses are free there.
  Status check_move(const InterfaceEntry& entry, std::uint32_t table) const;
  Status remove_some(const DeleteRouteRequest& request, const IpPrefix& prefix, RouteSpec spec, Done& done,
                     CallContext& call);
  RouteRequest request_of(const DeleteRouteRequest& deleted, const RouteSpec& left) const;
  StatusOr<std::optional<RouteEntry>> only(const FibQuery& query) const;
  std::optional<RouteEntry> after(const FibQuery& query, const std::optional<IpPrefix>& at) const;
  std::string words(const RouteSpec& spec) const;
  Route message(const RouteEntry& entry) const;
  RouteDetail detail(std::uint32_t table, const RouteEntry& entry) const;
  Path message(const ForwardingPath& path) const;
  std::vector<Candidate> candidates(const KindQuery& query) const;

  sluice::Routes& routes_;
  Interfaces& interfaces_;
};

}  // namespace sluice::ip
