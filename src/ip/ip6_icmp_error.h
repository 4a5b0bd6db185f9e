// SPDX-License-Identifier: Apache-2.0
// ip6-icmp-error: tells a packet's source why it goes no further, then drops it for that reason. packet.icmp_error says
// what to tell. RFC 4443 sections 2.4 and 3.
#pragma once
#include "ip/packet_checksum.h"
#include "ip/state.h"
#include "ip/token_bucket.h"
#include "sluice/net/icmp.h"
#include "sluice/net/ip6_extensions.h"
#include "sluice/node.h"

namespace sluice {

struct Ip6IcmpError {
  static constexpr NodeInfo kInfo{"ip6-icmp-error", "tells the source why its packet is dropped"};
  enum class Next : std::uint8_t { Ip6Lookup };
  enum class Drop : std::uint8_t {
    NoRoute,
    Prohibited,
    BeyondScope,
    AddressUnreachable,
    PortUnreachable,
    PacketTooBig,
    HopLimitExceeded,
    ReassemblyTimeout,
    UnknownHeader,
    OtherError,
    Truncated,
  };
  enum class Count : std::uint8_t { Sent, RateLimited, NotAnswered, NoSource, NoBuffer };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    Ip6Address to;
    std::uint8_t type, code;
    void describe(auto&& field) const {
      field("to", to);
      field("type", type);
      field("code", code);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::NoRoute: return "no route leads to the destination; its source is told";
      case Drop::Prohibited: return "the route says prohibit";
      case Drop::BeyondScope: return "a link-local packet would leave its link";
      case Drop::AddressUnreachable: return "the next hop does not answer, or the route says unreachable";
      case Drop::PortUnreachable: return "nobody listens on this UDP port here";
      case Drop::PacketTooBig: return "longer than the output's MTU; routers do not fragment IPv6";
      case Drop::HopLimitExceeded: return "the hop limit ran out here";
      case Drop::ReassemblyTimeout: return "fragments of the packet are missing";
      case Drop::UnknownHeader: return "nobody takes this protocol or extension header here";
      case Drop::OtherError: return "another ICMPv6 error";
      case Drop::Truncated: return "not even an IPv6 header";
    }
    return "";
  }

  const IpState& ip;
  TokenBucket bucket{2000, 256};

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace, Out<Ip6IcmpError>& out) noexcept {
    const auto* bad = packet.header<Ip6Header>();
    if (!bad) return Drop::Truncated;
    const IcmpErrorRequest request = packet.icmp_error;
    if (trace) *trace = {bad->source, request.type, request.code};
    const Drop reason = reason_of(request);
    if (!may_answer(packet, *bad, request)) {
      worker.count(Count::NotAnswered);
    } else if (!bucket.take(worker.now())) {
      worker.count(Count::RateLimited);
    } else {
      answer(packet, *bad, request, worker, out);
    }
    return reason;
  }

 private:
  // RFC 4443 section 2.4 (e).
  static bool may_answer(const Packet& packet, const Ip6Header& bad, const IcmpErrorRequest& request) noexcept {
    const bool to_many = packet.has(kBroadcast) || bad.destination.is_multicast();
    const bool too_big = request.type == 2;
    const bool refused_option = request.type == 4 && request.code == 2;
    if (to_many && !too_big && !refused_option) return false;
    if (bad.source.is_unspecified() || bad.source.is_multicast()) return false;
    const Ip6Walk upper = find_upper_layer(packet);
    if (upper.fragment_offset != 0) return false;
    if (upper.protocol != kIpProtocolIcmp6) return true;
    const auto* icmp = packet.header<IcmpHeader>(upper.offset);
    // Errors are the types below 128, and redirects.
    return icmp && icmp->type >= 128 && icmp->type != 137;
  }

  void answer(const Packet& packet, const Ip6Header& bad, const IcmpErrorRequest& request, Worker& worker,
              Out<Ip6IcmpError>& out) noexcept {
    const InterfaceState* in = worker.interface(packet.rx_interface);
    const Ip6Address source = ip.addresses.read(worker).source_for(packet.rx_interface, bad.source);
    if (source.is_unspecified()) {
      worker.count(Count::NoSource);
      return;
    }
    Packet* error = out.alloc(&packet);
    if (!error) {
      worker.count(Count::NoBuffer);
      return;
    }
    // RFC 4443 section 2.4 (c): as much of the packet as fits into the least MTU.
    constexpr std::size_t kHeaders = sizeof(Ip6Header) + sizeof(IcmpHeader), kQuote = 1280 - kHeaders;
    const std::size_t quoted = std::min<std::size_t>(packet.length, kQuote);
    error->trim(kHeaders + quoted);
    std::memcpy(error->data + kHeaders, packet.data, quoted);
    const auto length = static_cast<std::uint16_t>(sizeof(IcmpHeader) + quoted);
    auto* header = error->header<Ip6Header>();
    *header = {be32(6u << 28), be16(length), kIpProtocolIcmp6, 64, source, bad.source};
    auto* icmp = error->header<IcmpHeader>(sizeof(Ip6Header));
    *icmp = {request.type, request.code, be16{}, be16(static_cast<std::uint16_t>(request.mtu_or_pointer >> 16)),
             be16(static_cast<std::uint16_t>(request.mtu_or_pointer))};
    const auto sum = static_cast<std::uint16_t>(
        ~checksum_fold(checksum_add(pseudo_header_sum(*header, kIpProtocolIcmp6, length), icmp, length)));
    icmp->checksum.raw = sum;
    error->rx_interface = packet.rx_interface;
    error->tx_interface = packet.rx_interface;  // the zone of a link-local source
    error->table = in ? in->table6 : packet.table;
    error->l3_offset = error->offset();
    error->l4_offset = static_cast<std::uint16_t>(error->l3_offset + sizeof(Ip6Header));
    error->flags |= kLocal | kChecksumValid;
    worker.count(Count::Sent);
    out.emit(*error, Next::Ip6Lookup);
  }

  static Drop reason_of(const IcmpErrorRequest& request) noexcept {
    switch (request.type) {
      case 1:
        switch (request.code) {
          case 0: return Drop::NoRoute;
          case 1:
          case 5: return Drop::Prohibited;
          case 2: return Drop::BeyondScope;
          case 3: return Drop::AddressUnreachable;
          case 4: return Drop::PortUnreachable;
          default: return Drop::OtherError;
        }
      case 2: return Drop::PacketTooBig;
      case 3: return request.code == 0 ? Drop::HopLimitExceeded : Drop::ReassemblyTimeout;
      case 4: return request.code == 1 ? Drop::UnknownHeader : Drop::OtherError;
      default: return Drop::OtherError;
    }
  }
};

}  // namespace sluice
