// SPDX-License-Identifier: Apache-2.0
// ICMP errors that the path sends about a tunnel's outer packets, made errors for the inner sender. RFC 2003 section 4,
// RFC 2473 section 8.
#pragma once
#include <sluice/net/icmp.h>
#include <sluice/net/ip4.h>
#include <sluice/net/ip6.h>
#include <sluice/packet.h>

#include <algorithm>
#include <cstdint>

namespace sluice {

/// What a router says of an outer packet.
struct TunnelError {
  enum class Kind : std::uint8_t { TooLong, Unreachable, Other } kind = Kind::Other;
  std::uint32_t mtu = 0;   ///< of TooLong: the outer packet's
  std::size_t quoted = 0;  ///< where the quoted outer IP header begins, from packet.data
};

/// The packet is at the IP header in front of ICMP, as local.h says of errors.
inline TunnelError read_tunnel_error(const Packet& packet, bool ip6) noexcept {
  using Kind = TunnelError::Kind;
  constexpr std::uint32_t kOldRouter = 576;  // RFC 1191 section 5: one that does not say the MTU
  const auto at = static_cast<std::size_t>(packet.l4_offset - packet.offset());
  const auto* icmp = packet.header<IcmpHeader>(at);
  if (!icmp) return {Kind::Other, 0, packet.length};  // nothing is quoted
  TunnelError error{Kind::Other, 0, at + sizeof *icmp};
  if (ip6) {
    if (icmp->type == kIcmp6PacketTooBig) {
      error.kind = Kind::TooLong;
      error.mtu = std::uint32_t{icmp->id.host()} << 16 | icmp->sequence.host();
    } else if (icmp->type == kIcmp6Unreachable || icmp->type == kIcmp6TimeExceeded) {
      error.kind = Kind::Unreachable;
    }
    return error;
  }
  if (icmp->type == kIcmpUnreachable && icmp->code == 4) {
    error.kind = Kind::TooLong;
    error.mtu = icmp->sequence.host() ? icmp->sequence.host() : kOldRouter;
  } else if (icmp->type == kIcmpUnreachable || icmp->type == kIcmpTimeExceeded) {
    error.kind = Kind::Unreachable;  // RFC 2003 section 4.4: to whom is inside, that time ran out says no more
  }
  return error;
}

/// The packet is at the quoted inner IP header. False: not enough of it is quoted to tell its sender. mtu: for the
/// inner packet.
inline bool tell_inner_sender(Packet& packet, TunnelError::Kind kind, std::uint32_t mtu) noexcept {
  constexpr std::uint32_t kIp4Least = 68, kIp6Least = 1280;  // RFC 791 section 3.2, RFC 8200 section 5
  const auto* version = packet.header<std::uint8_t>();
  if (!version) return false;
  const bool too_long = kind == TunnelError::Kind::TooLong;
  packet.l3_offset = packet.offset();
  if (*version >> 4 == 4) {
    if (!packet.header<Ip4Header>() || packet.header<Ip4Header>()->header_length() < sizeof(Ip4Header)) return false;
    packet.icmp_error = {kIcmpUnreachable, static_cast<std::uint8_t>(too_long ? 4 : 1), 0,
                         too_long ? std::max(mtu, kIp4Least) : 0};
    return true;
  }
  if (*version >> 4 != 6 || !packet.header<Ip6Header>()) return false;
  packet.icmp_error = {kIcmp6Unreachable, 3, 0, 0};
  if (too_long) packet.icmp_error = {kIcmp6PacketTooBig, 0, 0, std::max(mtu, kIp6Least)};
  return true;
}

}  // namespace sluice
