// SPDX-License-Identifier: Apache-2.0
// ip6-icmp-error: what ICMPv6 says of errors. RFC 4443 sections 2.4 and 3.
#pragma once
#include "ip/icmp_error.h"
#include "sluice/net/ip6_extensions.h"

namespace sluice {

struct Ip6IcmpErrorRules {
  using Header = Ip6Header;
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

  static constexpr Next kLookup = Next::Ip6Lookup;
  /// RFC 4443 section 2.4 (c): the least MTU.
  static constexpr std::size_t kLongest = 1280;

  static TableIndex table_of(const InterfaceState& in) noexcept { return in.table6; }

  // RFC 4443 section 2.4 (e).
  static bool may_answer(const Packet& packet, const Ip6Header& bad, const IcmpErrorRequest& request) noexcept {
    const bool to_many = packet.has(kBroadcast) || bad.destination.is_multicast();
    const bool too_big = request.type == kIcmp6PacketTooBig;
    const bool refused_option = request.type == kIcmp6ParameterProblem && request.code == 2;
    if (to_many && !too_big && !refused_option) return false;
    if (bad.source.is_unspecified() || bad.source.is_multicast()) return false;
    const Ip6Walk upper = find_upper_layer(packet);
    if (upper.fragment_offset != 0) return false;
    if (upper.protocol != kIpProtocolIcmp6) return true;
    const auto* icmp = packet.header<IcmpHeader>(upper.offset);
    // Errors are the types below 128, and redirects.
    return icmp && icmp->type >= 128 && icmp->type != kIcmp6Redirect;
  }

  static void write_headers(Ip6Header& header, IcmpHeader& icmp, const IcmpErrorRequest& request,
                            const Ip6Address& source, const Ip6Address& destination, std::uint16_t length) noexcept {
    header = {be32(6u << 28), be16(length), kIpProtocolIcmp6, 64, source, destination};
    icmp = {request.type, request.code, be16{}, be16(static_cast<std::uint16_t>(request.mtu_or_pointer >> 16)),
            be16(static_cast<std::uint16_t>(request.mtu_or_pointer))};
    icmp.checksum.raw =
        checksum_finish(checksum_add(pseudo_header_sum(header, kIpProtocolIcmp6, length), &icmp, length));
  }

  static Drop reason_of(const IcmpErrorRequest& request) noexcept {
    switch (request.type) {
      case kIcmp6Unreachable:
        switch (request.code) {
          case 0: return Drop::NoRoute;
          case 1:
          case 5: return Drop::Prohibited;
          case 2: return Drop::BeyondScope;
          case 3: return Drop::AddressUnreachable;
          case 4: return Drop::PortUnreachable;
          default: return Drop::OtherError;
        }
      case kIcmp6PacketTooBig: return Drop::PacketTooBig;
      case kIcmp6TimeExceeded: return request.code == 0 ? Drop::HopLimitExceeded : Drop::ReassemblyTimeout;
      case kIcmp6ParameterProblem: return request.code == 1 ? Drop::UnknownHeader : Drop::OtherError;
      default: return Drop::OtherError;
    }
  }
};

struct Ip6IcmpError : IcmpError<Ip6IcmpErrorRules> {
  static constexpr NodeInfo kInfo{"ip6-icmp-error", "tells the source why its packet is dropped"};
  using IcmpError::IcmpError;
};

}  // namespace sluice
