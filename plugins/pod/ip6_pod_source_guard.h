// SPDX-License-Identifier: Apache-2.0
// ip6-pod-source-guard: lets only the pod's own address in as a source; on the link itself (neighbour discovery, MLD)
// also its link-local one. RFC 2827, RFC 4291 section 2.5.6.
#pragma once
#include <sluice/feature.h>
#include <sluice/net/ip6.h>
#include <sluice/node.h>

#include "source_table.h"

namespace sluice::pod {

struct Ip6PodSourceGuard {
  static constexpr NodeInfo kInfo{"ip6-pod-source-guard", "lets only the pod's own address in as a source"};
  static constexpr FeatureInfo kFeature{.arc = "ip6-unicast"};
  enum class Next : std::uint8_t { Continue };
  enum class Drop : std::uint8_t { SpoofedSource, Truncated };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    Ip6Address source;
    void describe(auto&& field) const { field("source", source); }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::SpoofedSource: return "the pod sent with a source address that is not its own";
      case Drop::Truncated: return "not even an IPv6 header";
    }
    return "";
  }

  const Published<SourceTable>& sources;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) const noexcept {
    const auto* ip = packet.header<Ip6Header>();
    if (!ip) return Drop::Truncated;
    if (trace) *trace = {ip->source};
    const auto* own = sources.read(worker).find(packet.rx_interface);
    if (!own) return Drop::SpoofedSource;
    if (own->has_ip6 && own->ip6 == ip->source) return Next::Continue;
    return stays_on_link(*ip) ? Verdict(Next::Continue) : Verdict(Drop::SpoofedSource);
  }

 private:
  // RFC 4291 section 2.7: scope 1 is the interface, 2 the link.
  static bool stays_on_link(const Ip6Header& ip) noexcept {
    if (!ip.source.is_link_local() && !ip.source.is_unspecified()) return false;
    return ip.destination.is_link_local() || (ip.destination.is_multicast() && ip.destination.multicast_scope() <= 2);
  }
};

}  // namespace sluice::pod
