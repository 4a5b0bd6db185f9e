// SPDX-License-Identifier: Apache-2.0
// A Packet's metadata to its mbufs and back. Nothing is copied: both describe the same buffer.
#pragma once
#include <sluice/packet.h>

#include "memory.h"

namespace sluice::dpdk {

/// What a device cannot take as it is goes another way (queue.cc).
struct TxShape {
  bool chains = false;          ///< packets of several segments
  std::uint16_t segments = 64;  ///< of one packet, at most
};

/// mbufs of a packet that are being given to DPDK, head first. A checksum that the device cannot finish is finished
/// here. False: it has no such field, or no headers to cut it by; the mbufs are as before.
bool describe(Packet& packet) noexcept;
/// The same for a packet of one segment that wants nothing done.
inline rte_mbuf* describe_plain(Packet& packet) noexcept {
  rte_mbuf* mbuf = mbuf_of(&packet);
  // data_off, refcnt 1, nb_segs 1 and no port, in one store as DPDK's own drivers do.
  constexpr std::uint64_t kRest = std::uint64_t{1} << 16 | std::uint64_t{1} << 32 | std::uint64_t{0xffff} << 48;
  static_assert(offsetof(rte_mbuf, data_off) == 16 && offsetof(rte_mbuf, port) == 22);
  *reinterpret_cast<std::uint64_t*>(reinterpret_cast<std::byte*>(mbuf) + offsetof(rte_mbuf, data_off)) =
      kRest | packet.offset();
  mbuf->ol_flags = 0;
  mbuf->pkt_len = mbuf->data_len = packet.length;
  return mbuf;
}
/// Of a packet that DPDK has not taken after all: it may be described again, once for each time that it is undone.
void undo(Packet& packet) noexcept;
inline bool is_plain(const Packet& packet) noexcept {
  return !packet.next_segment && !packet.has(kChecksumPartial | kGso);
}

/// Segments of a received packet behind its head, and the head's link to them.
void adopt_chain(rte_mbuf* head, Packet& packet) noexcept;
inline Packet* adopt(rte_mbuf* mbuf) noexcept {
  Packet* packet = packet_of(mbuf);
  packet->data = static_cast<std::byte*>(mbuf->buf_addr) + mbuf->data_off;
  packet->length = mbuf->data_len;
  packet->chain_length = mbuf->pkt_len;
  if ((mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD) packet->flags |= kChecksumValid;
  if (mbuf->nb_segs > 1) [[unlikely]]
    adopt_chain(mbuf, *packet);
  return packet;
}

}  // namespace sluice::dpdk
