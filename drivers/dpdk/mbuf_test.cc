// SPDX-License-Identifier: Apache-2.0
// Packets to mbufs and back. What DPDK makes of pseudo-headers is the oracle.
#include "mbuf.h"

#include <gtest/gtest.h>
#include <rte_ip.h>
#include <sluice/net/ip4.h>
#include <sluice/testing/packet_builder.h>
#include <sluice/testing/test_world.h>

namespace sluice::dpdk {
namespace {

using testing::Bytes;
using testing::TestWorld;

constexpr std::uint16_t kL4 = 14 + 20;

class MbufTest : public ::testing::Test {
 protected:
  /// A frame whose transport checksum is the pseudo-header's sum, as the kernel leaves it.
  Packet* partial(Bytes frame, std::uint16_t l4, std::uint16_t offset) {
    Packet* packet = world.make(frame, 1000);
    packet->flags |= kChecksumPartial;
    packet->checksum_start = static_cast<std::uint16_t>(packet->offset() + l4);
    packet->checksum_offset = offset;
    return packet;
  }
  static Bytes tcp4(std::size_t payload) {
    return testing::packet()
        .ethernet("02::1", "02::2")
        .ip4("10.0.0.1", "10.0.0.2")
        .tcp(1000, 80)
        .payload(std::string(payload, 'x'))
        .bytes();
  }
  void free(Packet* packet) { world.worker().buffers().free(packet); }
  TestWorld world;
};

TEST_F(MbufTest, APlainPacketIsOneMbufOfItsOwnBytes) {
  Packet* packet = world.make(Bytes(60));
  packet->push(14);
  mbuf_of(packet)->buf_addr = packet->storage();
  const rte_mbuf* mbuf = describe_plain(*packet);
  EXPECT_EQ(rte_pktmbuf_mtod(mbuf, std::byte*), packet->data);
  EXPECT_EQ(mbuf->pkt_len, 74u);
  EXPECT_EQ(mbuf->data_len, 74u);
  EXPECT_EQ(mbuf->nb_segs, 1u);
  EXPECT_EQ(mbuf->refcnt, 1u);
  EXPECT_EQ(mbuf->ol_flags, 0u);
  free(packet);
}

TEST_F(MbufTest, AChainIsDescribedAndUndone) {
  Packet* packet = world.make(Bytes(2500), 1000);
  for (Packet* s = packet; s; s = s->next_segment) mbuf_of(s)->next = nullptr;
  ASSERT_TRUE(describe(*packet));
  rte_mbuf* head = mbuf_of(packet);
  EXPECT_EQ(head->nb_segs, 3u);
  EXPECT_EQ(head->pkt_len, 2500u);
  EXPECT_EQ(head->next, mbuf_of(packet->next_segment));
  EXPECT_EQ(head->next->next->data_len, 500u);
  undo(*packet);
  EXPECT_EQ(head->nb_segs, 1u);
  for (Packet* s = packet; s; s = s->next_segment) EXPECT_EQ(mbuf_of(s)->next, nullptr);
  free(packet);
}

TEST_F(MbufTest, ASharedSegmentKeepsItsCount) {
  Packet* packet = world.make(Bytes(1500), 1000);
  share_segment(*packet->next_segment);
  ASSERT_TRUE(describe(*packet));
  EXPECT_EQ(mbuf_of(packet->next_segment)->refcnt, 2u);
  undo(*packet);
  world.worker().buffers().free_segment(packet->next_segment);
  free(packet);
}

TEST_F(MbufTest, TcpChecksumIsAskedFor) {
  Packet* packet = partial(tcp4(100), kL4, 16);
  ASSERT_TRUE(describe(*packet));
  const rte_mbuf* mbuf = mbuf_of(packet);
  EXPECT_EQ(mbuf->ol_flags, RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM);
  EXPECT_EQ(mbuf->l2_len, 14u);
  EXPECT_EQ(mbuf->l3_len, 20u);
  free(packet);
}

TEST_F(MbufTest, UdpUnderTwoTagsAndIp6) {
  const Bytes frame = testing::packet()
                          .ethernet("02::1", "02::2")
                          .service_vlan(5)
                          .vlan(100)
                          .ip6("fd00::1", "fd00::2")
                          .udp(1000, 53)
                          .payload("hello")
                          .bytes();
  Packet* packet = partial(frame, 14 + 8 + 40, 6);
  ASSERT_TRUE(describe(*packet));
  const rte_mbuf* mbuf = mbuf_of(packet);
  EXPECT_EQ(mbuf->ol_flags, RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_UDP_CKSUM);
  EXPECT_EQ(mbuf->l2_len, 22u);
  EXPECT_EQ(mbuf->l3_len, 40u);
  EXPECT_EQ(mbuf->l4_len, 8u);
  free(packet);
}

TEST_F(MbufTest, ATcpSuperPacketsPseudoHeaderLosesItsLength) {
  Packet* packet = partial(tcp4(5000), kL4, 16);
  packet->flags |= kGso;
  packet->gso_type = GsoType::Tcp4;
  packet->gso_size = 1448;
  auto* ip = reinterpret_cast<rte_ipv4_hdr*>(packet->data + 14);
  const std::uint16_t with_length = rte_ipv4_phdr_cksum(ip, 0);
  std::memcpy(packet->data + kL4 + 16, &with_length, 2);
  ASSERT_TRUE(describe(*packet));
  const rte_mbuf* mbuf = mbuf_of(packet);
  EXPECT_EQ(mbuf->ol_flags,
            RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG);
  EXPECT_EQ(mbuf->tso_segsz, 1448u);
  EXPECT_EQ(mbuf->l4_len, 20u);
  std::uint16_t left;
  std::memcpy(&left, packet->data + kL4 + 16, 2);
  EXPECT_EQ(left, rte_ipv4_phdr_cksum(ip, RTE_MBUF_F_TX_TCP_SEG));
  EXPECT_EQ(ip->hdr_checksum, 0u);
  undo(*packet);
  std::memcpy(&left, packet->data + kL4 + 16, 2);
  EXPECT_EQ(left, with_length) << "it may be given again";
  ASSERT_TRUE(describe(*packet));
  std::memcpy(&left, packet->data + kL4 + 16, 2);
  EXPECT_EQ(left, rte_ipv4_phdr_cksum(ip, RTE_MBUF_F_TX_TCP_SEG));
  undo(*packet);
  free(packet);
}

TEST_F(MbufTest, AChecksumThatDpdkWouldTakeForAnotherIsFinishedHere) {
  const auto ethernet = [] { return testing::packet().ethernet("02::1", "02::2"); };
  struct Case {
    Bytes frame;
    std::uint16_t l3, l4, offset;
  };
  const Case cases[] = {
      // IPv4 in IPv4, and in UDP.
      {ethernet().ip4("10.1.0.1", "10.1.0.2").ip4("10.0.0.1", "10.0.0.2").tcp(1, 2).payload("abc").bytes(), kL4,
       kL4 + 20, 16},
      {ethernet().ip4("10.1.0.1", "10.1.0.2").udp(4, 5).ip4("10.0.0.1", "10.0.0.2").udp(1, 2).payload("abc").bytes(),
       kL4 + 8, kL4 + 28, 6},
      // Behind an extension header.
      {ethernet().ip6("fd00::1", "fd00::2").destination_options().udp(1, 2).payload("abc").bytes(), 14, 14 + 48, 6},
  };
  for (const Case& each : cases) {
    Packet* packet = partial(each.frame, each.l4, each.offset);
    std::byte* field = packet->data + each.l4 + each.offset;
    std::uint16_t sum;
    if (each.l3 == 14) {
      rte_ipv6_hdr plain;
      std::memcpy(&plain, packet->data + 14, sizeof plain);
      plain.proto = kIpProtocolUdp;
      plain.payload_len = rte_cpu_to_be_16(static_cast<std::uint16_t>(each.frame.size() - each.l4));
      sum = rte_ipv6_phdr_cksum(&plain, 0);
    } else {
      sum = rte_ipv4_phdr_cksum(reinterpret_cast<rte_ipv4_hdr*>(packet->data + each.l3), 0);
    }
    std::memcpy(field, &sum, sizeof sum);
    ASSERT_TRUE(describe(*packet));
    EXPECT_EQ(mbuf_of(packet)->ol_flags, 0u);
    EXPECT_FALSE(packet->has(kChecksumPartial));
    EXPECT_EQ(TestWorld::bytes_of(*packet), each.frame) << "l4 at " << each.l4;
    free(packet);
  }
}

TEST_F(MbufTest, ATunnelledSuperPacketIsNotDescribed) {
  Packet* packet = partial(testing::packet()
                               .ethernet("02::1", "02::2")
                               .ip4("10.1.0.1", "10.1.0.2")
                               .ip4("10.0.0.1", "10.0.0.2")
                               .tcp(1, 2)
                               .payload(std::string(5000, 'x'))
                               .bytes(),
                           kL4 + 20, 16);
  packet->flags |= kGso;
  packet->gso_type = GsoType::Tcp4;
  packet->gso_size = 1448;
  EXPECT_FALSE(describe(*packet));
  EXPECT_TRUE(packet->has(kChecksumPartial));
  free(packet);
}

TEST_F(MbufTest, HeadersThatAreNotThereAreNotDescribed) {
  struct Case {
    Bytes frame;
    std::uint16_t l4, offset;
  };
  Bytes arp = tcp4(40);
  arp[13] = 6;
  Bytes short_tcp = tcp4(0);
  short_tcp[14 + 20 + 12] = 0xf0;
  const Case cases[] = {
      {Bytes(10), 4, 2},         // no Ethernet header
      {arp, kL4, 16},            // not IP
      {tcp4(40), 14 + 10, 16},   // inside the IP header
      {tcp4(40), kL4, 8},        // neither TCP's field nor UDP's
      {short_tcp, kL4, 16},      // options beyond the end
      {tcp4(700), 14 + 600, 6},  // an IP header of 600 bytes
      {tcp4(0), kL4 + 30, 6},    // behind the end
  };
  for (const Case& each : cases) {
    Packet* packet = partial(each.frame, each.l4, each.offset);
    packet->flags |= kGso;
    EXPECT_FALSE(describe(*packet)) << "l4 at " << each.l4 << ", checksum at " << each.offset;
    free(packet);
  }
}

TEST_F(MbufTest, AChecksumFieldOutsideTheHeadIsNotDescribed) {
  for (const int l4 : {kL4 + 20, kL4 + 30, 60000}) {
    Packet* packet = partial(tcp4(0), static_cast<std::uint16_t>(l4), 6);
    EXPECT_FALSE(describe(*packet)) << "l4 at " << l4;
    EXPECT_TRUE(packet->has(kChecksumPartial));
    free(packet);
  }
}

}  // namespace
}  // namespace sluice::dpdk
