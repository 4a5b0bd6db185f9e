// SPDX-License-Identifier: Apache-2.0
// ip4-reassembly: puts fragments for this node together. RFC 791 section 3.2, RFC 815, RFC 1122 section 3.3.2.
#pragma once
#include "ip/packet_checksum.h"
#include "ip/reassembly.h"
#include "sluice/net/ip4.h"

namespace sluice {

struct Ip4ReassemblyRules {
  enum class Next : std::uint8_t { Ip4Local, Ip4IcmpError };
  enum class Drop : std::uint8_t { BadLength, TooLong, Duplicate, Overlap, TooMany };
  static constexpr std::string_view why(Drop reason) {
    switch (reason) {
      case Drop::BadLength: return "a fragment's payload is empty, or no multiple of eight before the last one";
      case Drop::TooLong: return "the fragment ends beyond the longest IPv4 packet";
      case Drop::Duplicate: return "the same fragment came before";
      case Drop::Overlap: return "the fragment overlaps another; the whole packet is refused";
      case Drop::TooMany: return "too many fragments wait: 64 of a packet, 256 packets, 2,048 in all";
    }
    return "";
  }

  static constexpr Next kDeliver = Next::Ip4Local, kIcmpError = Next::Ip4IcmpError;
  static constexpr IcmpErrorRequest kTimedOut{kIcmpTimeExceeded, 1, 0, 0};
  static constexpr std::uint64_t kTimeoutNs = 30'000'000'000;

  struct Key {
    Ip4Address source, destination;
    std::uint32_t table;
    std::uint16_t id;
    std::uint8_t protocol;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept {
      std::uint64_t hash = (std::uint64_t{key.source.host()} << 32 | key.destination.host()) * 0x9e3779b97f4a7c15u;
      hash ^= (std::uint64_t{key.id} << 8 | key.protocol | std::uint64_t{key.table} << 24) * 0xc2b2ae3d27d4eb4fu;
      return static_cast<std::size_t>(hash >> 29);
    }
  };

  static bool make_whole(Packet& packet) noexcept {
    if (packet.chain_length > 0xffff) return false;
    auto& ip = *packet.header<Ip4Header>();
    ip.total_length = be16(static_cast<std::uint16_t>(packet.chain_length));
    ip.fragment = be16{};
    set_header_checksum(ip);
    return true;
  }
};

struct Ip4Reassembly : Reassembly<Ip4ReassemblyRules> {
  static constexpr NodeInfo kInfo{"ip4-reassembly", "puts fragments for this node together"};

  Verdict operator()(Packet& packet, Worker& worker, Trace* trace, Out<Ip4Reassembly>& out) noexcept {
    const auto& ip = *packet.header<Ip4Header>();
    const auto header_bytes = static_cast<std::uint16_t>(ip.header_length());
    const std::uint16_t word = ip.fragment.host();
    const FragmentInfo info{(word & Ip4Header::kOffsetMask) * 8u, packet.chain_length - header_bytes, header_bytes,
                            (word & Ip4Header::kMoreFragments) != 0};
    if (trace) *trace = {ip.id.host(), info.offset, info.length, info.more};
    if (info.length == 0 || (info.more && info.length % 8)) return Drop::BadLength;
    if (info.offset + info.length + header_bytes > 0xffff) return Drop::TooLong;
    // The hardware may have seen a transport header where there is none.
    packet.flags &= ~std::uint32_t{kChecksumValid | kChecksumPartial | kGso};
    return add({ip.source, ip.destination, packet.table.value, ip.id.host(), ip.protocol}, packet, info, worker, out);
  }
};

}  // namespace sluice
