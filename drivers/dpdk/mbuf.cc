// SPDX-License-Identifier: Apache-2.0
#include "mbuf.h"

#include <sluice/kernels/finish_checksum.h>
#include <sluice/net/ethernet.h>
#include <sluice/net/ip4.h>
#include <sluice/net/ip6.h>
#include <sluice/vnet_header.h>

namespace sluice::dpdk {
namespace {

struct Layers {
  std::uint16_t l2 = 0, l3 = 0, l4 = 0;
  bool ip4 = false;
};

/// TCP or UDP lies directly behind the outermost IP header, which is all that DPDK makes pseudo headers of.
bool is_outermost(const Packet& packet, const Layers& layers) noexcept {
  const std::uint8_t wanted = packet.checksum_offset == detail::kTcpChecksumOffset ? kIpProtocolTcp : kIpProtocolUdp;
  if (layers.ip4) {
    const auto* ip = packet.header<Ip4Header>(layers.l2);
    return ip && ip->header_length() == layers.l3 && ip->protocol == wanted;
  }
  const auto* ip = packet.header<Ip6Header>(layers.l2);
  return ip && layers.l3 == sizeof *ip && ip->next_header == wanted;
}

/// Where the headers are, all of them in the first segment; false when they are not, or DPDK would take others for
/// them.
bool find_layers(const Packet& packet, Layers& layers) noexcept {
  const auto* ethernet = packet.header<EthernetHeader>();
  if (!ethernet) return false;
  std::uint16_t type = ethernet->type.host(), l2 = sizeof *ethernet;
  for (int tags = 0; tags < 2 && (type == kEthertypeVlan || type == kEthertypeQinQ); ++tags) {
    const auto* tag = packet.header<VlanTag>(l2);
    if (!tag) return false;
    type = tag->type.host();
    l2 += sizeof *tag;
  }
  if (type != kEthertypeIp4 && type != kEthertypeIp6) return false;
  const unsigned l4_at = packet.checksum_start - packet.offset();
  layers.ip4 = type == kEthertypeIp4;
  if (l4_at < l2 + (layers.ip4 ? 20u : 40u) || l4_at - l2 > 511 || l4_at + packet.checksum_offset + 2u > packet.length)
    return false;
  layers.l2 = l2;
  layers.l3 = static_cast<std::uint16_t>(l4_at - l2);
  if (!is_outermost(packet, layers)) return false;
  if (packet.checksum_offset == detail::kUdpChecksumOffset) {
    layers.l4 = detail::kUdpHeaderLength;
    return true;
  }
  layers.l4 = detail::transport_header(packet, static_cast<std::uint16_t>(l4_at), GsoType::Tcp4);
  return packet.checksum_offset == detail::kTcpChecksumOffset && layers.l4 != 0;
}

/// DPDK wants the pseudo-header's sum without the length where the device cuts the packet; ours is with it. headers:
/// those before TCP's.
void change_length(Packet& packet, std::uint32_t headers, bool with) noexcept {
  auto* field = packet.data + headers + packet.checksum_offset;
  std::uint16_t sum;
  std::memcpy(&sum, field, sizeof sum);
  const std::uint32_t length = packet.chain_length - headers;
  const auto wire = [with](std::uint32_t n) {
    const std::uint16_t swapped = __builtin_bswap16(static_cast<std::uint16_t>(n));
    return with ? swapped : static_cast<std::uint16_t>(~swapped);
  };
  sum = checksum_fold(std::uint64_t{sum} + wire(length & 0xffff) + wire(length >> 16));
  std::memcpy(field, &sum, sizeof sum);
}

/// What the device cannot finish (inside a tunnel, behind extension headers), the software does.
bool finish(Packet& packet) noexcept {
  if (packet.has(kGso)) return false;
  if (finish_checksum(packet)) return true;
  packet.flags |= kChecksumPartial;
  return false;
}

bool describe_offload(Packet& packet, rte_mbuf& mbuf) noexcept {
  Layers layers;
  if (!find_layers(packet, layers)) return finish(packet);
  mbuf.tx_offload = 0;
  mbuf.l2_len = layers.l2;
  mbuf.l3_len = layers.l3;
  mbuf.l4_len = layers.l4;
  std::uint64_t flags = layers.ip4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
  const bool tcp = packet.checksum_offset == detail::kTcpChecksumOffset;
  flags |= tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
  if (packet.has(kGso)) {
    if (!tcp) return false;
    flags |= RTE_MBUF_F_TX_TCP_SEG;
    mbuf.tso_segsz = packet.gso_size;
    change_length(packet, layers.l2 + layers.l3, false);
    if (layers.ip4) {
      flags |= RTE_MBUF_F_TX_IP_CKSUM;
      packet.known_header<Ip4Header>(layers.l2)->checksum = {};
    }
  }
  mbuf.ol_flags = flags;
  return true;
}

}  // namespace

bool describe(Packet& packet) noexcept {
  rte_mbuf* head = describe_plain(packet);
  if (packet.has(kChecksumPartial | kGso) && !describe_offload(packet, *head)) return false;
  rte_mbuf* last = head;
  for (Packet* segment = packet.next_segment; segment; segment = segment->next_segment) {
    rte_mbuf* mbuf = mbuf_of(segment);
    mbuf->data_off = segment->offset();
    mbuf->data_len = segment->length;
    if (!segment->has(kShared)) mbuf->refcnt = 1;
    last->next = mbuf;
    last = mbuf;
    ++head->nb_segs;
  }
  head->pkt_len = packet.chain_length;
  return true;
}

void undo(Packet& packet) noexcept {
  rte_mbuf& head = *mbuf_of(&packet);
  head.nb_segs = 1;
  if (head.ol_flags & RTE_MBUF_F_TX_TCP_SEG) change_length(packet, head.l2_len + head.l3_len, true);
  for (Packet* segment = &packet; segment->next_segment; segment = segment->next_segment)
    mbuf_of(segment)->next = nullptr;
}

void adopt_chain(rte_mbuf* head, Packet& packet) noexcept {
  head->nb_segs = 1;
  Packet* last = &packet;
  for (rte_mbuf* mbuf = std::exchange(head->next, nullptr); mbuf; mbuf = std::exchange(mbuf->next, nullptr)) {
    Packet* segment = packet_of(mbuf);
    mbuf->nb_segs = 1;
    last->next_segment = segment;
    last = segment;
    if (segment->has(kShared)) continue;  // it came round through this process, and is what it was
    segment->data = static_cast<std::byte*>(mbuf->buf_addr) + mbuf->data_off;
    segment->length = mbuf->data_len;
    segment->flags = 0;
  }
  if (!last->has(kShared)) last->next_segment = nullptr;
}

}  // namespace sluice::dpdk
