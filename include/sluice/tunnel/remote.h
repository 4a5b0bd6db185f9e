// SPDX-License-Identifier: Apache-2.0
// A tunnel's remote as workers see it: outer headers that are ready but for what a packet decides, and where they go.
// Made by TunnelPeer (peer.h). What follows the underlay is changed in place, one word at a time.
#pragma once
#include <sluice/net/address.h>
#include <sluice/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sluice {

/// The outer IPv4 header's don't-fragment bit.
enum class TunnelDf : std::uint8_t {
  Inherit,  ///< the inner IPv4 header's; set for IPv6 inside. RFC 2003 section 3.1
  Set,
  Clear,  ///< the path may fragment; what the underlay's own link is too short for, this node fragments
};

/// What an operator sets of a tunnel's outer headers.
struct TunnelPolicy {
  static constexpr std::uint8_t kInheritTtl = 0, kInheritDscp = 0xff;
  std::uint8_t ttl = 64;             ///< or kInheritTtl: the inner packet's
  std::uint8_t dscp = kInheritDscp;  ///< or 0 to 63. ECN is always RFC 6040's
  TunnelDf df = TunnelDf::Inherit;
  bool udp_checksum = false;  ///< of tunnels over UDP: else zero
  bool cross_subnet = false;  ///< packets of the outer family for a remote on a connected subnet go there as they are
  friend bool operator==(const TunnelPolicy&, const TunnelPolicy&) = default;
};

struct alignas(kCacheLine) TunnelRemote {
  static constexpr std::size_t kHeadersMax = 56;  ///< IPv6, UDP, VXLAN
  static constexpr std::uint32_t kAnyLength = 0xffffffff;

  std::atomic<std::uint32_t> forwarding{ForwardingIndex::kNone};  ///< the underlay's; none: no way, or a loop
  std::atomic<std::uint32_t> mtu{kAnyLength};                     ///< the longest inner packet, layer 3
  std::atomic<bool> direct{false};                                ///< cross-subnet: this remote needs no tunnel now
  bool ip6 = false;                                               ///< the outer family
  std::uint8_t header_bytes = 0;
  std::uint8_t udp_offset = 0;  ///< of the UDP header in headers; 0: there is none
  TunnelPolicy policy;
  std::uint16_t sum = 0;  ///< of the IPv4 header's words that no packet changes, folded
  TableIndex table;       ///< the underlay's
  std::array<std::byte, kHeadersMax> headers{};
};

}  // namespace sluice
