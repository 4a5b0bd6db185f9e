// SPDX-License-Identifier: Apache-2.0
// ip4-pod-source-guard: lets only the pod's own address in as a source. RFC 2827.
#pragma once
#include <sluice/feature.h>
#include <sluice/net/ip4.h>
#include <sluice/node.h>

#include "source_table.h"

namespace sluice::pod {

struct Ip4PodSourceGuard {
  static constexpr NodeInfo kInfo{"ip4-pod-source-guard", "lets only the pod's own address in as a source"};
  static constexpr FeatureInfo kFeature{.arc = "ip4-unicast"};
  enum class Next : std::uint8_t { Continue };
  enum class Drop : std::uint8_t { SpoofedSource, Truncated };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    Ip4Address source;
    void describe(auto&& field) const { field("source", source); }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::SpoofedSource: return "the pod sent with a source address that is not its own";
      case Drop::Truncated: return "not even an IPv4 header";
    }
    return "";
  }

  const Published<SourceTable>& sources;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    const auto* ip = packet.header<Ip4Header>();
    if (!ip) return Drop::Truncated;
    if (trace) *trace = {ip->source};
    const auto* own = sources.read(worker).find(packet.rx_interface);
    if (!own || !own->has_ip4 || own->ip4 != ip->source) return Drop::SpoofedSource;
    return Next::Continue;
  }
};

}  // namespace sluice::pod
