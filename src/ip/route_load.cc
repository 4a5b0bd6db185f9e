// SPDX-License-Identifier: Apache-2.0
// Routes by the batch.
#include "ip/route_service.h"

namespace sluice::ip {
namespace {

void refuse(RouteBatchResult& result, std::size_t position, const Status& status) {
  RefusedRoute* refused = result.add_refused();
  refused->set_position(static_cast<std::uint32_t>(position));
  refused->set_why(text(status));
}

}  // namespace

/// A route of a batch that may be added.
struct RouteService::Asked {
  RouteRequest request;
  IpPrefix prefix;
  RouteSpec spec;
  bool is_new = true;
};

StatusOr<RouteService::Asked> RouteService::ask(const RouteRequest& request, const CallContext& call) const {
  Asked asked{.request = request, .prefix = {}, .spec = {}};
  if (auto status = call.check(asked.request); !status.ok()) return status;
  const auto prefix = IpPrefix::parse(asked.request.prefix());
  if (!prefix.ok()) return prefix.status();
  auto spec = spec_of(asked.request);
  if (!spec.ok()) return spec.status();
  const auto would = routes_.would_add(asked.request.table(), *prefix, RouteSource::Static, *spec);
  if (!would.ok()) return would.status();
  asked.prefix = *prefix;
  asked.spec = *std::move(spec);
  asked.is_new = *would;
  return asked;
}

/// False: one could not be, for want of room or because another one of the batch has the same prefix; then none is.
bool RouteService::add_all(std::vector<Asked>& all, RouteBatchResult& result) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto changed = routes_.add(all[i].request.table(), all[i].prefix, RouteSource::Static, all[i].spec);
    if (changed.ok()) {
      all[i].is_new = *changed;
      continue;
    }
    refuse(result, i, changed.status());
    while (i-- > 0) {
      if (all[i].is_new) routes_.remove(all[i].request.table(), all[i].prefix, RouteSource::Static);
    }
    return false;
  }
  return true;
}

Status RouteService::load(const RouteBatch& batch, RouteBatchResult& result, CallContext& call) {
  if (batch.route_size() > kBatchMax) {
    return refused("{} routes in a batch; give at most {}", batch.route_size(), kBatchMax);
  }
  std::vector<Asked> all;
  for (int i = 0; i < batch.route_size(); ++i) {
    auto asked = ask(batch.route(i), call);
    if (asked.ok()) {
      all.push_back(*std::move(asked));
    } else {
      refuse(result, static_cast<std::size_t>(i), asked.status());
    }
  }
  if (result.refused_size() > 0) return {};
  if (!call.dry_run() && !add_all(all, result)) return {};
  for (Asked& asked : all) {
    (asked.is_new ? result.set_added(result.added() + 1) : result.set_unchanged(result.unchanged() + 1));
    if (asked.is_new) call.record("/sluice.ip.Routes/AddRoute", std::move(asked.request));
  }
  return {};
}

}  // namespace sluice::ip
