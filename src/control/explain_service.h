// SPDX-License-Identifier: Apache-2.0
// The operations of explain.proto.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/explain.pb.h"
#include "core/dataplane.h"
#include "sluice/api.h"
#include "sluice/interfaces.h"
#include "sluice/routes.h"

namespace sluice::explain {

using Bytes = std::vector<std::uint8_t>;

class ExplainService {
 public:
  ExplainService(Dataplane& dataplane, const Interfaces& interfaces, Routes& routes)
      : dataplane_(dataplane), interfaces_(interfaces), routes_(routes) {}
  void offer(Api& api);

 private:
  Stream<Explanation> flow(const FlowQuery& query) const;
  Stream<Explanation> packet(const PacketQuery& query) const;
  static Stream<Explanation> told(StatusOr<Explanation> explanation);

  StatusOr<Explanation> explain(const FlowQuery& query) const;
  StatusOr<Explanation> explain(const PacketQuery& query) const;
  StatusOr<const InterfaceEntry*> find(const std::string& name) const;
  /// What arrives on the wire of an interface, or of the one below a subinterface, is explained.
  StatusOr<Explanation> explain(const InterfaceEntry& entry, Bytes bytes) const;

  Dataplane& dataplane_;
  const Interfaces& interfaces_;
  Routes& routes_;
};

/// Pairs of hexadecimal digits; blanks and colons may stand between them.
StatusOr<Bytes> bytes_of(std::string_view hex);

}  // namespace sluice::explain
