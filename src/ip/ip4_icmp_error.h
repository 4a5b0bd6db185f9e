// SPDX-License-Identifier: Apache-2.0
// ip4-icmp-error: what ICMP says of errors. RFC 792, RFC 1812 section 4.3.2.
#pragma once
#include "ip/icmp_error.h"

namespace sluice {

struct Ip4IcmpErrorRules {
  using Header = Ip4Header;
  enum class Next : std::uint8_t { Ip4Lookup };
  enum class Drop : std::uint8_t {
    NoRoute,
    HostUnreachable,
    ProtocolUnreachable,
    PortUnreachable,
    FragmentationNeeded,
    Prohibited,
    TtlExpired,
    ReassemblyTimeout,
    OtherError,
    Truncated,
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::NoRoute: return "no route leads to the destination; its source is told";
      case Drop::HostUnreachable: return "the next hop does not answer, or the route says unreachable";
      case Drop::ProtocolUnreachable: return "nobody takes this IP protocol here";
      case Drop::PortUnreachable: return "nobody listens on this UDP port here";
      case Drop::FragmentationNeeded: return "longer than the output's MTU, and its source forbids fragments";
      case Drop::Prohibited: return "the route says prohibit";
      case Drop::TtlExpired: return "the time to live ran out here";
      case Drop::ReassemblyTimeout: return "fragments of the packet are missing";
      case Drop::OtherError: return "another ICMP error";
      case Drop::Truncated: return "not even an IPv4 header";
    }
    return "";
  }

  static constexpr Next kLookup = Next::Ip4Lookup;
  /// RFC 1812 section 4.3.2.3.
  static constexpr std::size_t kLongest = 576;
  std::uint16_t next_id = 1;

  static TableIndex table_of(const InterfaceState& in) noexcept { return in.table4; }

  // RFC 1812 section 4.3.2.7, RFC 1122 section 3.2.2.
  static bool may_answer(const Packet& packet, const Ip4Header& bad, const IcmpErrorRequest&) noexcept {
    const std::uint32_t source = bad.source.host(), destination = bad.destination.host();
    if (packet.has(kBroadcast) || destination >= 0xe0000000) return false;
    if (source >= 0xe0000000 || source >> 24 == 0 || source >> 24 == 127) return false;
    if (bad.fragment.host() & Ip4Header::kOffsetMask) return false;
    if (bad.protocol != kIpProtocolIcmp) return true;
    const auto* icmp = packet.header<IcmpHeader>(bad.header_length());
    return icmp && is_query(icmp->type);
  }
  static bool is_query(std::uint8_t type) noexcept {
    return type == 0 || type == 8 || (type >= 9 && type <= 10) || (type >= 13 && type <= 18);
  }

  /// length: of the ICMP message, of which all but its header is in place.
  void write_headers(Ip4Header& header, IcmpHeader& icmp, const IcmpErrorRequest& request, const Ip4Address& source,
                     const Ip4Address& destination, std::uint16_t length) noexcept {
    icmp = {request.type, request.code, be16{}, be16{}, be16{}};
    // RFC 792: a parameter problem's pointer is one byte. RFC 1191 section 4: the MTU is in the lower half.
    if (request.type == kIcmpParameterProblem) {
      icmp.id = be16(static_cast<std::uint16_t>(request.mtu_or_pointer << 8));
    } else if (request.type == kIcmpUnreachable && request.code == 4) {
      icmp.sequence = be16(static_cast<std::uint16_t>(std::min(request.mtu_or_pointer, 0xffffu)));
    }
    icmp.checksum.raw = checksum_finish(checksum_add(0, &icmp, length));
    const auto total = static_cast<std::uint16_t>(sizeof header + length);
    // RFC 1812 section 4.3.2.5: precedence 6, internetwork control.
    header = {0x45, 0xc0, be16(total), be16(next_id++), be16{}, 64, kIpProtocolIcmp, be16{}, source, destination};
    set_header_checksum(header);
  }

  static Drop reason_of(const IcmpErrorRequest& request) noexcept {
    switch (request.type) {
      case kIcmpUnreachable:
        switch (request.code) {
          case 0: return Drop::NoRoute;
          case 1: return Drop::HostUnreachable;
          case 2: return Drop::ProtocolUnreachable;
          case 3: return Drop::PortUnreachable;
          case 4: return Drop::FragmentationNeeded;
          case 9:
          case 10:
          case 13: return Drop::Prohibited;
          default: return Drop::OtherError;
        }
      case kIcmpTimeExceeded: return request.code == 0 ? Drop::TtlExpired : Drop::ReassemblyTimeout;
      default: return Drop::OtherError;
    }
  }
};

struct Ip4IcmpError : IcmpError<Ip4IcmpErrorRules> {
  static constexpr NodeInfo kInfo{"ip4-icmp-error", "tells the source why its packet is dropped"};
  using IcmpError::IcmpError;
};

}  // namespace sluice
