// SPDX-License-Identifier: Apache-2.0
// The header that TUN, tap, AF_PACKET and virtio put before a packet: which checksum is still to be made and into what
// the packet is to be cut (virtio 1.2, section 5.1.6). What comes in is the far side's word and is believed only where
// it cannot hurt: every offset lies in the packet's first segment, every size fits; that no checksum is made inside a
// header that has been checked, ip4-input and ip6-input see to (sluice/kernels/checksum_place.h). Fields are in the
// host's byte order. Pure functions; any thread.
#pragma once
#include <sluice/net/sctp.h>
#include <sluice/packet.h>

#include <cstddef>
#include <cstdint>

namespace sluice {

struct VnetHeader {
  static constexpr std::uint8_t kNeedsChecksum = 1, kDataValid = 2;
  static constexpr std::uint8_t kEcn = 0x80;
  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;        ///< GsoType, or'ed with kEcn
  std::uint16_t header_length = 0;  ///< a hint; ignored on the way in
  std::uint16_t gso_size = 0;
  std::uint16_t checksum_start = 0;   ///< from the packet's first byte
  std::uint16_t checksum_offset = 0;  ///< from checksum_start
};
static_assert(sizeof(VnetHeader) == 10);

namespace detail {

inline constexpr std::uint16_t kTcpChecksumOffset = 16, kUdpChecksumOffset = 6;
inline constexpr std::uint16_t kTcpHeaderMin = 20, kUdpHeaderLength = 8;

/// Where a GSO type's transport header keeps its checksum, and how long that header is at least.
inline bool gso_shape(GsoType type, std::uint16_t& checksum_offset, std::uint16_t& header_min) noexcept {
  switch (type) {
    case GsoType::Tcp4:
    case GsoType::Tcp6:
      checksum_offset = kTcpChecksumOffset;
      header_min = kTcpHeaderMin;
      return true;
    case GsoType::UdpL4:
      checksum_offset = kUdpChecksumOffset;
      header_min = kUdpHeaderLength;
      return true;
    case GsoType::None:
    case GsoType::Udp: return false;
  }
  return false;
}

/// Bytes of the transport header at start (from data) of a GSO packet; 0 when it does not fit the first segment.
inline std::uint16_t transport_header(const Packet& packet, std::uint16_t start, GsoType type) noexcept {
  if (type == GsoType::UdpL4) return start + kUdpHeaderLength <= packet.length ? kUdpHeaderLength : std::uint16_t{0};
  if (start + kTcpHeaderMin > packet.length) return 0;
  const auto length = static_cast<std::uint16_t>((std::to_integer<unsigned>(packet.data[start + 12]) >> 4) * 4);
  return length >= kTcpHeaderMin && start + length <= packet.length ? length : std::uint16_t{0};
}

}  // namespace detail

/// Takes checksum and GSO state from a received header; SCTP's checksum, which is none of the Internet's, is made at
/// once. The packet's data and lengths are set, its flags are clear. False: the header is a lie (offsets behind the
/// first segment, an unknown kind, a size of nothing); the packet is to be dropped and counted.
[[nodiscard]] inline bool apply_vnet_header(const VnetHeader& header, Packet& packet) noexcept {
  if ((header.flags & VnetHeader::kNeedsChecksum) != 0) {
    if (std::size_t{header.checksum_start} + header.checksum_offset + 2 > packet.length) return false;
    if (const std::size_t sctp =
            header.checksum_offset == kSctpChecksumOffset ? sctp_length(packet, header.checksum_start) : 0) {
      make_sctp_checksum(packet, header.checksum_start, sctp);
      packet.flags |= kChecksumValid;
    } else {
      packet.flags |= kChecksumPartial;
      packet.checksum_start = static_cast<std::uint16_t>(packet.offset() + header.checksum_start);
      packet.checksum_offset = header.checksum_offset;
    }
  } else if ((header.flags & VnetHeader::kDataValid) != 0) {
    packet.flags |= kChecksumValid;
  }
  const auto type = static_cast<GsoType>(header.gso_type & ~VnetHeader::kEcn);
  if (type == GsoType::None) return true;
  std::uint16_t checksum_offset = 0, header_min = 0;
  if (!detail::gso_shape(type, checksum_offset, header_min)) return false;
  // The kernel never asks for segmentation without leaving the checksum to whoever segments.
  if (!packet.has(kChecksumPartial) || packet.checksum_offset != checksum_offset || header.gso_size == 0) return false;
  const std::uint16_t transport = detail::transport_header(packet, header.checksum_start, type);
  if (transport == 0) return false;
  const std::uint32_t headers = std::uint32_t{header.checksum_start} + transport;
  // One segment's worth is an ordinary packet.
  if (packet.chain_length - headers <= header.gso_size) return true;
  packet.flags |= kGso;
  packet.gso_type = type;
  packet.gso_size = header.gso_size;
  return true;
}

/// The header for a packet that leaves, true to its metadata.
inline VnetHeader make_vnet_header(const Packet& packet) noexcept {
  VnetHeader header;
  if (!packet.has(kChecksumPartial)) return header;
  header.flags = VnetHeader::kNeedsChecksum;
  header.checksum_start = static_cast<std::uint16_t>(packet.checksum_start - packet.offset());
  header.checksum_offset = packet.checksum_offset;
  if (!packet.has(kGso)) return header;
  header.gso_type = static_cast<std::uint8_t>(packet.gso_type);
  header.gso_size = packet.gso_size;
  header.header_length = static_cast<std::uint16_t>(
      header.checksum_start + detail::transport_header(packet, header.checksum_start, packet.gso_type));
  constexpr unsigned kCwr = 0x80;
  const bool tcp = packet.gso_type == GsoType::Tcp4 || packet.gso_type == GsoType::Tcp6;
  if (tcp && header.checksum_start + 14u <= packet.length &&
      (std::to_integer<unsigned>(packet.data[header.checksum_start + 13]) & kCwr) != 0)
    header.gso_type |= VnetHeader::kEcn;
  return header;
}

}  // namespace sluice
