// SPDX-License-Identifier: Apache-2.0
// The operations of trace.proto.
#pragma once
#include <deque>
#include <memory>
#include <utility>

#include "control/trace.pb.h"
#include "core/dataplane.h"
#include "sluice/api.h"
#include "sluice/interfaces.h"

namespace sluice::trace {

class TraceService {
 public:
  static constexpr std::size_t kMaxRequests = 8;
  static constexpr std::size_t kMaxFinished = 64;

  TraceService(Dataplane& dataplane, const Interfaces& interfaces) : dataplane_(dataplane), interfaces_(interfaces) {}
  void offer(Api& api);

 private:
  Status add(const TraceSpec& spec, Done& done, CallContext& call);
  Stream<Packet> show(const TraceQuery& query);
  Status clear(const Nothing&, Done& done);
  Packet message(unsigned worker, const TraceBuffer::Slot& slot) const;

  Dataplane& dataplane_;
  const Interfaces& interfaces_;
  // Buffers of earlier requests with their workers; the oldest go first.
  std::deque<std::pair<unsigned, std::shared_ptr<TraceBuffer>>> finished_;
  std::uint8_t epoch_ = 0;
};

/// Compiles a pcap expression for a link type (DLT_EN10MB, DLT_RAW). Errors: what libpcap says of it.
StatusOr<PacketFilter> compile_filter(const std::string& expression, int link_type);

}  // namespace sluice::trace
