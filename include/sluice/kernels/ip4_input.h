// SPDX-License-Identifier: Apache-2.0
// ip4-input: validates the IPv4 header. RFC 1812 section 5.2.2.
#pragma once
#include <sluice/kernels/chain_length.h>
#include <sluice/kernels/checksum_place.h>
#include <sluice/kernels/last_interface.h>
#include <sluice/net/checksum.h>
#include <sluice/net/ip4.h>
#include <sluice/node.h>

#include <array>
#include <type_traits>

namespace sluice {

struct Ip4Input {
  static constexpr NodeInfo kInfo{.name = "ip4-input", .summary = "validates the IPv4 header", .entry = true};
  enum class Next : std::uint8_t { Ip4Lookup, Ip4Local };
  enum class Drop : std::uint8_t {
    Truncated,
    BadVersion,
    BadHeaderLength,
    BadTotalLength,
    BadChecksum,
    MartianSource,
    MartianDestination,
    LinkBroadcast,
    Multicast,
    BadOption,
    SourceRoute,
    ChecksumPlace,
    NoInterface,
  };
  using Verdict = sluice::Verdict<Next, Drop>;
  struct Trace {
    Ip4Address source, destination;
    std::uint16_t length;
    std::uint8_t protocol, ttl;
    void describe(auto&& field) const {
      field("source", source);
      field("destination", destination);
      field("protocol", protocol);
      field("ttl", ttl);
      field("length", length);
    }
  };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::Truncated: return "fewer bytes than an IPv4 header";
      case Drop::BadVersion: return "the version field is not 4";
      case Drop::BadHeaderLength: return "the header length is below 20 bytes or beyond the packet";
      case Drop::BadTotalLength: return "the total length is below the header's or beyond the packet";
      case Drop::BadChecksum: return "the header checksum is wrong";
      case Drop::MartianSource: return "the source address may not be one: 0/8, 127/8, multicast or 240/4";
      case Drop::MartianDestination: return "the destination address may not be one: 0/8, 127/8 or 240/4";
      case Drop::LinkBroadcast: return "a unicast packet came in a link-layer broadcast or multicast frame";
      case Drop::Multicast: return "multicast beyond the link is not forwarded";
      case Drop::BadOption: return "an IPv4 option's length is wrong";
      case Drop::SourceRoute: return "source routes are refused";
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
    const auto* ip = packet.header<Ip4Header>();
    if (!ip) return Drop::Truncated;
    if (trace) *trace = {ip->source, ip->destination, ip->total_length.host(), ip->protocol, ip->ttl};
    if (ip->version_ihl == kPlain) [[likely]]
      return judge(packet, *ip, std::integral_constant<std::size_t, sizeof(Ip4Header)>{}, worker, known);
    if (ip->version_ihl >> 4 != 4) return Drop::BadVersion;
    const std::size_t header_bytes = std::size_t{ip->version_ihl & 15u} * 4;
    if (header_bytes < sizeof(Ip4Header) || header_bytes > packet.length) return Drop::BadHeaderLength;
    return judge_with_options(packet, *ip, header_bytes, worker);  // of what is known nothing changes
  }

 private:
  static constexpr std::uint8_t kPlain = 0x45;  // version 4, no options
  LastInterface in_;

  [[gnu::noinline]] Verdict judge_with_options(Packet& packet, const Ip4Header& ip, std::size_t header_bytes,
                                               Worker& worker) noexcept {
    Known known;
    return judge(packet, ip, header_bytes, worker, known);
  }

  // header_bytes is a constant where there are no options.
  template <class Bytes>
  Verdict judge(Packet& packet, const Ip4Header& ip, Bytes header_bytes, Worker& worker, Known& known) noexcept {
    constexpr bool kOptions = std::is_same_v<Bytes, std::size_t>;
    const std::uint32_t total = ip.total_length.host();
    if (total < header_bytes || total > packet.chain_length) return Drop::BadTotalLength;
    if (!header_sum_ok(ip, header_bytes)) return Drop::BadChecksum;
    const bool unusual = (kSpecial[ip.source.bytes[0]] | kSpecial[ip.destination.bytes[0]] |
                          (packet.flags & (kBroadcast | kChecksumPartial))) != 0;
    if (unusual) [[unlikely]] {
      if (const auto verdict = check_unusual(packet, ip); verdict != Next::Ip4Lookup) return verdict;
    }
    if constexpr (kOptions) {
      if (const auto verdict = check_options(packet, header_bytes); verdict != Next::Ip4Lookup) return verdict;
    }
    if (!in_.know(worker, packet.rx_interface, known)) return Drop::NoInterface;
    if (packet.chain_length > total) cut_chain(packet, total, worker);
    (*known.in_counters)[InterfaceCounter::Ip4].add();
    packet.table = known.in->table4;
    packet.l3_offset = packet.offset();
    packet.l4_offset = static_cast<std::uint16_t>(packet.l3_offset + header_bytes);
    if (unusual) [[unlikely]] {
      if (packet.has(kChecksumPartial) && !checksum_place_ok(packet, ip.protocol, total)) return Drop::ChecksumPlace;
      if (ip.destination.host() >= kMulticast) return multicast(ip.destination.host());
    }
    return Next::Ip4Lookup;
  }

  // RFC 1071: the sum over a header with its checksum is all ones.
  static bool header_sum_ok(const Ip4Header& ip, std::size_t bytes) noexcept {
    if (bytes == sizeof ip) [[likely]]
      return ip4_header_sum_ok(&ip);
    return checksum_fold(checksum_add(0, &ip, bytes)) == 0xffff;
  }
  static constexpr std::uint32_t kMulticast = 0xe0000000, kReserved = 0xf0000000, kBroadcastAddress = 0xffffffff;
  static constexpr std::uint32_t kLinkMulticast = 0xe00000;  // 224.0.0.0/24, RFC 5771 section 4
  // First octets of addresses that are not simply a host's.
  static constexpr auto kSpecial = [] {
    std::array<std::uint8_t, 256> special{};
    for (std::size_t octet = 0; octet < special.size(); ++octet) {
      special[octet] = octet == 0 || octet == 127 || octet >= kMulticast >> 24 ? 1 : 0;
    }
    return special;
  }();

  [[gnu::noinline]] static Verdict check_unusual(const Packet& packet, const Ip4Header& ip) noexcept {
    if (const auto verdict = check_addresses(ip.source.host(), ip.destination.host()); verdict != Next::Ip4Lookup)
      return verdict;
    // RFC 1812 section 5.3.4: what came as a link-layer broadcast is not forwarded, unless it is one in IP too.
    if (packet.has(kBroadcast) && ip.destination.host() < kMulticast) return Drop::LinkBroadcast;
    return Next::Ip4Lookup;
  }
  // RFC 1812 section 5.3.7. 0.0.0.0 asks for an address (DHCP), by limited broadcast only.
  static Verdict check_addresses(std::uint32_t source, std::uint32_t destination) noexcept {
    if (kSpecial[source >> 24] && (source != 0 || destination != kBroadcastAddress)) return Drop::MartianSource;
    const bool reserved = destination >= kReserved && destination != kBroadcastAddress;
    if (reserved || (kSpecial[destination >> 24] && destination < kMulticast)) return Drop::MartianDestination;
    return Next::Ip4Lookup;
  }
  static Verdict multicast(std::uint32_t destination) noexcept {
    return destination == kBroadcastAddress || destination >> 8 == kLinkMulticast ? Verdict(Next::Ip4Local)
                                                                                  : Verdict(Drop::Multicast);
  }

  // RFC 791 section 3.1. Options travel on unchanged; source routes are refused (RFC 7126 section 4.3).
  [[gnu::noinline]] static Verdict check_options(const Packet& packet, std::size_t end) noexcept {
    constexpr std::uint8_t kEndOfList = 0, kNoOperation = 1, kLooseSourceRoute = 131, kStrictSourceRoute = 137;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(packet.data);
    for (std::size_t at = sizeof(Ip4Header); at < end;) {
      const std::uint8_t type = bytes[at];
      if (type == kEndOfList) break;
      if (type == kNoOperation) {
        ++at;
        continue;
      }
      if (type == kLooseSourceRoute || type == kStrictSourceRoute) return Drop::SourceRoute;
      if (at + 1 >= end || bytes[at + 1] < 2 || at + bytes[at + 1] > end) return Drop::BadOption;
      at += bytes[at + 1];
    }
    return Next::Ip4Lookup;
  }
};

}  // namespace sluice
