// SPDX-License-Identifier: Apache-2.0
// ip4-icmp-error: tells a packet's source why it goes no further, then drops it for that reason. packet.icmp_error says
// what to tell. RFC 792, RFC 1812 section 4.3.2.
#pragma once
#include "ip/packet_checksum.h"
#include "ip/state.h"
#include "ip/token_bucket.h"
#include "sluice/net/icmp.h"
#include "sluice/node.h"

namespace sluice {

struct Ip4IcmpError {
  static constexpr NodeInfo kInfo{"ip4-icmp-error", "tells the source why its packet is dropped"};
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
  enum class Count : std::uint8_t { Sent, RateLimited, NotAnswered, NoSource, NoBuffer };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    Ip4Address to;
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

  const IpState& ip;
  TokenBucket bucket{2000, 256};
  std::uint16_t next_id = 1;

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace, Out<Ip4IcmpError>& out) noexcept {
    const auto* bad = packet.header<Ip4Header>();
    if (!bad) return Drop::Truncated;
    const IcmpErrorRequest request = packet.icmp_error;
    if (trace) *trace = {bad->source, request.type, request.code};
    const Drop reason = reason_of(request);
    if (!may_answer(packet, *bad)) {
      worker.count(Count::NotAnswered);
    } else if (!bucket.take(worker.now())) {
      worker.count(Count::RateLimited);
    } else {
      answer(packet, *bad, request, worker, out);
    }
    return reason;
  }

 private:
  // RFC 1812 section 4.3.2.7, RFC 1122 section 3.2.2.
  static bool may_answer(const Packet& packet, const Ip4Header& bad) noexcept {
    const std::uint32_t source = bad.source.host(), destination = bad.destination.host();
    if (packet.has(kBroadcast) || destination >= 0xe0000000) return false;
    if (source >= 0xe0000000 || source >> 24 == 0 || source >> 24 == 127) return false;
    if (bad.fragment.host() & 0x1fff) return false;
    if (bad.protocol != kIpProtocolIcmp) return true;
    const auto* icmp = packet.header<IcmpHeader>(std::size_t{bad.version_ihl & 15u} * 4);
    return icmp && is_query(icmp->type);
  }
  static bool is_query(std::uint8_t type) noexcept {
    return type == 0 || type == 8 || (type >= 9 && type <= 10) || (type >= 13 && type <= 18);
  }

  void answer(const Packet& packet, const Ip4Header& bad, const IcmpErrorRequest& request, Worker& worker,
              Out<Ip4IcmpError>& out) noexcept {
    const InterfaceState* in = worker.interface(packet.rx_interface);
    const Ip4Address source = ip.addresses.read(worker).source_for(packet.rx_interface, bad.source);
    if (source == Ip4Address{}) {
      worker.count(Count::NoSource);
      return;
    }
    Packet* error = out.alloc(&packet);
    if (!error) {
      worker.count(Count::NoBuffer);
      return;
    }
    // RFC 1812 section 4.3.2.3: as much of the packet as fits into 576 bytes.
    constexpr std::size_t kHeaders = sizeof(Ip4Header) + sizeof(IcmpHeader), kQuote = 576 - kHeaders;
    const std::size_t quoted = std::min<std::size_t>(packet.length, kQuote);
    error->trim(kHeaders + quoted);
    std::memcpy(error->data + kHeaders, packet.data, quoted);
    auto* icmp = error->header<IcmpHeader>(sizeof(Ip4Header));
    *icmp = {request.type, request.code, be16{}, be16{}, be16{}};
    // RFC 792: a parameter problem's pointer is one byte. RFC 1191 section 4: the MTU is in the lower half.
    if (request.type == 12) {
      icmp->id = be16(static_cast<std::uint16_t>(request.mtu_or_pointer << 8));
    } else if (request.type == 3 && request.code == 4) {
      icmp->sequence = be16(static_cast<std::uint16_t>(std::min(request.mtu_or_pointer, 0xffffu)));
    }
    const auto sum = static_cast<std::uint16_t>(~checksum_fold(checksum_add(0, icmp, sizeof *icmp + quoted)));
    icmp->checksum.raw = sum;
    auto* header = error->header<Ip4Header>();
    // RFC 1812 section 4.3.2.5: precedence 6, internetwork control.
    *header = {0x45,
               0xc0,
               be16(static_cast<std::uint16_t>(kHeaders + quoted)),
               be16(next_id++),
               be16{},
               64,
               kIpProtocolIcmp,
               be16{},
               source,
               bad.source};
    set_header_checksum(*header);
    error->rx_interface = packet.rx_interface;
    error->table = in ? in->table4 : packet.table;
    error->l3_offset = error->offset();
    error->l4_offset = static_cast<std::uint16_t>(error->l3_offset + sizeof(Ip4Header));
    error->flags |= kLocal | kChecksumValid;
    worker.count(Count::Sent);
    out.emit(*error, Next::Ip4Lookup);
  }

  static Drop reason_of(const IcmpErrorRequest& request) noexcept {
    switch (request.type) {
      case 3:
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
      case 11: return request.code == 0 ? Drop::TtlExpired : Drop::ReassemblyTimeout;
      default: return Drop::OtherError;
    }
  }
};

}  // namespace sluice
