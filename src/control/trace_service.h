// SPDX-License-Identifier: Apache-2.0
// The operations of trace.proto.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "control/trace.pb.h"
#include "control/trace_requests.h"
#include "sluice/api.h"
#include "sluice/interfaces.h"
#include "sluice/net/flow_pattern.h"
#include "sluice/routes.h"

namespace sluice::trace {

class TraceService {
 public:
  /// Without routes, the hint at `explain` does not name the interface.
  TraceService(Dataplane& dataplane, const Interfaces& interfaces, const Routes* routes = nullptr)
      : dataplane_(dataplane), interfaces_(interfaces), routes_(routes), requests_(dataplane) {}
  void offer(Api& api);

 private:
  /// What a live trace follows, and how long.
  struct Watch {
    TraceRequests::Request request;
    std::uint32_t packets;
    std::chrono::milliseconds time;
    std::string nothing;  // said when no packet came
  };

  void offer_kinds(Api& api);
  Status add(const TraceSpec& spec, Done& done, CallContext& call);
  Stream<Packet> show(const TraceQuery& query);
  Status clear(const Nothing&, Done& done);
  Stream<Packet> flow(const FlowTrace& spec, CallContext& call);
  Stream<Packet> pod(const PodTrace& spec, CallContext& call);

  StatusOr<Watch> watch(const FlowTrace& spec) const;
  StatusOr<Watch> watch(const PodTrace& spec) const;
  Stream<Packet> follow(StatusOr<Watch> watch, bool dry_run);
  StatusOr<std::vector<std::string>> pod_addresses(const std::string& name) const;
  std::string explain_line(const FlowPattern& pattern) const;
  std::string interface_towards(const IpAddress& address) const;
  Packet message(unsigned worker, const TraceBuffer::Slot& slot) const;

  Dataplane& dataplane_;
  const Interfaces& interfaces_;
  const Routes* routes_;
  const Api* api_ = nullptr;
  TraceRequests requests_;
};

}  // namespace sluice::trace
