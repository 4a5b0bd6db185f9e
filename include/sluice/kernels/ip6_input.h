// SPDX-License-Identifier: Apache-2.0
// ip6-input: validates the IPv6 header and a hop-by-hop header behind it. RFC 8200 sections 3 and 4.3.
#pragma once
#include <sluice/kernels/chain_length.h>
#include <sluice/kernels/checksum_place.h>
#include <sluice/kernels/last_interface.h>
#include <sluice/net/ip6.h>
#include <sluice/node.h>

namespace sluice {

struct Ip6Input {
  static constexpr NodeInfo kInfo{.name = "ip6-input", .summary = "validates the IPv6 header", .entry = true};
  enum class Next : std::uint8_t { Ip6Lookup, Ip6Local, Ip6IcmpError };
  enum class Drop : std::uint8_t {
    Truncated,
    BadVersion,
    BadPayloadLength,
    Jumbo,
    MartianSource,
    MartianDestination,
    LinkBroadcast,
    Multicast,
    BadHopByHop,
    RefusedOption,
    ChecksumPlace,
    NoInterface,
  };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    Ip6Address source, destination;
    std::uint16_t payload_length;
    std::uint8_t next_header, hop_limit;
    void describe(auto&& field) const {
      field("source", source);
      field("destination", destination);
      field("next-header", next_header);
      field("hop-limit", hop_limit);
      field("payload-length", payload_length);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::Truncated: return "fewer bytes than an IPv6 header";
      case Drop::BadVersion: return "the version field is not 6";
      case Drop::BadPayloadLength: return "the payload length goes beyond the packet";
      case Drop::Jumbo: return "jumbograms are refused";
      case Drop::MartianSource: return "the source address may not be one: multicast, loopback or unspecified";
      case Drop::MartianDestination: return "the destination address may not be one: unspecified or loopback";
      case Drop::LinkBroadcast: return "a unicast packet came in a link-layer multicast frame";
      case Drop::Multicast: return "multicast beyond the link is not forwarded";
      case Drop::BadHopByHop: return "the hop-by-hop header is cut off or an option's length is wrong";
      case Drop::RefusedOption: return "an unknown hop-by-hop option says that the packet is to be discarded";
      case Drop::ChecksumPlace: return "a checksum is to be made where the packet's protocol has none";
      case Drop::NoInterface: return "the interface was deleted while the packet was on its way";
    }
    return "";
  }

  void begin(Worker&) noexcept { in_.begin(); }
  Verdict operator()(Packet& packet, Worker& worker, Trace* trace) noexcept {
    Known known;
    return (*this)(packet, worker, trace, known);
  }
  [[gnu::always_inline]] Verdict operator()(Packet& packet, Worker& worker, Trace* trace, Known& known) noexcept {
    const auto* ip = packet.header<Ip6Header>();
    if (!ip) return Drop::Truncated;
    if (trace) *trace = {ip->source, ip->destination, ip->payload_length.host(), ip->next_header, ip->hop_limit};
    if (std::to_integer<unsigned>(packet.data[0]) >> 4 != 6) return Drop::BadVersion;
    const std::uint32_t total = sizeof(Ip6Header) + ip->payload_length.host();
    if (total > packet.chain_length) return Drop::BadPayloadLength;
    const bool special = is_special(ip->source) || is_special(ip->destination);
    if (special && martian_source(*ip)) [[unlikely]]
      return Drop::MartianSource;
    if (!in_.know(worker, packet.rx_interface, known)) return Drop::NoInterface;
    packet.l3_offset = packet.offset();
    packet.l4_offset = static_cast<std::uint16_t>(packet.l3_offset + sizeof(Ip6Header));
    if (packet.has(kChecksumPartial) && !checksum_place_ok(packet, ip->next_header, total)) return Drop::ChecksumPlace;
    packet.table = known.in->table6;
    (*known.in_counters)[InterfaceCounter::Ip6].add();
    if (ip->next_header == kIpProtocolHopByHop) [[unlikely]] {
      if (const Verdict v = hop_by_hop(packet, *ip); v != Next::Ip6Lookup) return v;
    }
    if (packet.chain_length > total) cut_chain(packet, total, worker);
    if (special) [[unlikely]] {
      if (ip->destination.is_multicast()) return multicast(ip->destination);
      if (ip->destination.is_unspecified() || ip->destination.is_loopback()) return Drop::MartianDestination;
    }
    if (packet.has(kBroadcast)) return Drop::LinkBroadcast;
    return Next::Ip6Lookup;
  }

 private:
  LastInterface in_;

  // Of an address that may not be one host's: the first byte is zero or all ones.
  static bool is_special(const Ip6Address& address) noexcept {
    return static_cast<std::uint8_t>(address.bytes[0] + 1) <= 1;
  }
  // RFC 4291 section 2.5.2: without a source address one speaks to the link only, to find out whether it is free.
  static bool martian_source(const Ip6Header& ip) noexcept {
    return ip.source.is_multicast() || ip.source.is_loopback() ||
           (ip.source.is_unspecified() && !ip.destination.is_multicast());
  }
  // RFC 4291 section 2.7: scope 2 is the link. Nothing that came from a link has scope 0 or 1.
  static Verdict multicast(const Ip6Address& destination) noexcept {
    const unsigned scope = destination.bytes[1] & 15u;
    if (scope < 2) return Drop::MartianDestination;
    if (scope == 2) return Next::Ip6Local;
    return Drop::Multicast;
  }

  // RFC 8200 sections 4.2 and 4.3; RFC 2675 (jumbograms, refused).
  [[gnu::noinline]] static Verdict hop_by_hop(Packet& packet, const Ip6Header& ip) noexcept {
    constexpr std::uint8_t kPad1 = 0, kPadN = 1, kRouterAlert = 5, kJumbo = 0xc2;
    constexpr std::size_t kAt = sizeof(Ip6Header);
    const std::size_t limit = std::min<std::size_t>(packet.length, kAt + ip.payload_length.host());
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(packet.data);
    // A jumbogram's payload length is zero, so look at what the segment has.
    if (ip.payload_length.host() == 0) {
      return packet.length > kAt + 2 && bytes[kAt + 2] == kJumbo ? Drop::Jumbo : Drop::BadHopByHop;
    }
    if (limit < kAt + 8) return Drop::BadHopByHop;
    const std::size_t end = kAt + (std::size_t{bytes[kAt + 1]} + 1) * 8;
    if (end > limit) return Drop::BadHopByHop;
    for (std::size_t at = kAt + 2; at < end;) {
      const std::uint8_t type = bytes[at];
      if (type == kPad1) {
        ++at;
        continue;
      }
      if (at + 1 >= end || at + 2 + bytes[at + 1] > end) return Drop::BadHopByHop;
      if (type == kJumbo) return Drop::Jumbo;
      if (type != kPadN && type != kRouterAlert && type >> 6 != 0) {
        // The two top bits: 1 discard; 2 discard and tell; 3 the same unless the destination is multicast.
        const unsigned action = type >> 6;
        if (action == 1 || (action == 3 && ip.destination.is_multicast())) return Drop::RefusedOption;
        packet.icmp_error = {4, 2, 0, static_cast<std::uint32_t>(at)};
        return Next::Ip6IcmpError;
      }
      at += 2u + bytes[at + 1];
    }
    return Next::Ip6Lookup;
  }
};

}  // namespace sluice
