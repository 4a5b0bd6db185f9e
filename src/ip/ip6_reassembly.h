// SPDX-License-Identifier: Apache-2.0
// ip6-reassembly: puts fragments for this node together. RFC 8200 section 4.5, RFC 5722, RFC 6946.
#pragma once
#include "ip/reassembly.h"
#include "sluice/net/ip6_extensions.h"

namespace sluice {

struct Ip6ReassemblyRules {
  enum class Next : std::uint8_t { Ip6Local, Ip6IcmpError };
  enum class Drop : std::uint8_t { BadHeaders, BadLength, Duplicate, Overlap, TooMany };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::BadHeaders: return "the first fragment does not hold all headers, or there is no fragment header";
      case Drop::BadLength: return "a fragment's payload is empty";
      case Drop::Duplicate: return "the same fragment came before";
      case Drop::Overlap: return "the fragment overlaps another; the whole packet is refused";
      case Drop::TooMany: return "too many fragments wait: 64 of a packet, 256 packets, 2,048 in all";
    }
    return "";
  }

  static constexpr Next kDeliver = Next::Ip6Local, kIcmpError = Next::Ip6IcmpError;
  static constexpr IcmpErrorRequest kTimedOut{kIcmp6TimeExceeded, 1, 0, 0};
  static constexpr std::uint64_t kTimeoutNs = 60'000'000'000;

  struct Key {
    Ip6Address source, destination;
    std::uint32_t interface, id;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept {
      std::uint64_t hash = key.source.high() * 0x9e3779b97f4a7c15u ^ key.source.low();
      hash = (hash ^ key.destination.low()) * 0xc2b2ae3d27d4eb4fu;
      hash = (hash ^ (std::uint64_t{key.interface} << 32 | key.id)) * 0x9e3779b97f4a7c15u;
      return static_cast<std::size_t>(hash >> 29);
    }
  };

  static bool make_whole(Packet& packet) noexcept {
    if (packet.chain_length - sizeof(Ip6Header) - sizeof(Ip6FragmentHeader) > 0xffff) return false;
    strip(packet);
    return true;
  }
  // Takes the fragment header out: what stands before it moves back, and names what stood behind it.
  static void strip(Packet& packet) noexcept {
    const Ip6Walk upper = find_upper_layer(packet);
    auto* bytes = reinterpret_cast<std::uint8_t*>(packet.data);
    bytes[upper.fragment_named_at] = bytes[upper.fragment_at];
    std::memmove(bytes + sizeof(Ip6FragmentHeader), bytes, upper.fragment_at);
    packet.pull(sizeof(Ip6FragmentHeader));
    packet.header<Ip6Header>()->payload_length =
        be16(static_cast<std::uint16_t>(packet.chain_length - sizeof(Ip6Header)));
    packet.l3_offset = packet.offset();
  }
};

struct Ip6Reassembly : Reassembly<Ip6ReassemblyRules> {
  static constexpr NodeInfo kInfo{"ip6-reassembly", "puts fragments for this node together"};

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace, Out<Ip6Reassembly>& out) noexcept {
    const auto& ip = *packet.header<Ip6Header>();
    const Ip6Walk upper = find_upper_layer(packet);
    if (!upper.whole() || !upper.is_fragment) return Drop::BadHeaders;
    const auto header_bytes = static_cast<std::uint16_t>(upper.fragment_at + sizeof(Ip6FragmentHeader));
    const FragmentInfo info{upper.fragment_offset, packet.chain_length - header_bytes, header_bytes,
                            upper.more_fragments};
    if (trace) *trace = {upper.fragment_id, info.offset, info.length, info.more};
    packet.flags &= ~std::uint32_t{kChecksumValid | kChecksumPartial | kGso};
    if (info.offset == 0 && !info.more) {
      // RFC 6946: a fragment that is the whole packet has nothing to do with others of its id.
      strip(packet);
      packet.flags |= kReassembled;
      return Next::Ip6Local;
    }
    if (info.length == 0) return Drop::BadLength;
    if (info.more && info.length % 8) {
      packet.icmp_error = {kIcmp6ParameterProblem, 0, 0, offsetof(Ip6Header, payload_length)};
      return Next::Ip6IcmpError;
    }
    // RFC 8200: what would become longer than 65,535 bytes; the pointer names the fragment offset.
    if (upper.fragment_at - sizeof(Ip6Header) + info.offset + info.length > 0xffff) {
      packet.icmp_error = {kIcmp6ParameterProblem, 0, 0, upper.fragment_at + 2u};
      return Next::Ip6IcmpError;
    }
    return add({ip.source, ip.destination, packet.rx_interface.value, upper.fragment_id}, packet, info, worker, out);
  }
};

}  // namespace sluice
