// SPDX-License-Identifier: Apache-2.0
#include "interface/software_offload.h"

#include <gtest/gtest.h>

#include <random>

#include "sluice/testing/node_test.h"

namespace sluice {
namespace {

using testing::Bytes;
using testing::NodeTest;

struct Shape {
  bool ethernet = true, ip6 = false, tcp = true;
  unsigned tags = 0, ip_options = 0, tcp_options = 0;

  std::size_t l3() const { return ethernet ? 14 + 4 * tags : 0; }
  std::size_t l4() const { return l3() + (ip6 ? 40 : 20 + 4 * ip_options); }
  std::size_t payload() const { return l4() + (tcp ? 20 + 4 * tcp_options : 8); }
  GsoType gso() const { return !tcp ? GsoType::UdpL4 : ip6 ? GsoType::Tcp6 : GsoType::Tcp4; }
  std::uint8_t protocol() const { return tcp ? 6 : 17; }
};

void put16(Bytes& bytes, std::size_t at, std::size_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}
std::uint16_t get16(const Bytes& bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
std::uint32_t get32(const Bytes& bytes, std::size_t at) {
  return std::uint32_t{get16(bytes, at)} << 16 | get16(bytes, at + 2);
}

constexpr std::uint32_t kSequence = 0xffffff00;
constexpr std::uint16_t kId = 0xfffe;

Bytes super_packet(const Shape& shape, std::size_t size, std::uint8_t tcp_flags = 0x10) {
  Bytes bytes(shape.payload() + size);
  for (std::size_t i = 0; i < size; ++i) bytes[shape.payload() + i] = static_cast<std::uint8_t>(i * 7 + (i >> 8));
  if (shape.ethernet) {
    bytes[0] = 2;
    for (unsigned tag = 0; tag < shape.tags; ++tag) put16(bytes, 12 + 4 * tag, tag + 1 < shape.tags ? 0x88a8 : 0x8100);
    put16(bytes, shape.l3() - 2, shape.ip6 ? 0x86dd : 0x0800);
  }
  const std::size_t l3 = shape.l3(), l4 = shape.l4();
  if (shape.ip6) {
    bytes[l3] = 0x60;
    put16(bytes, l3 + 4, bytes.size() - l3 - 40);
    bytes[l3 + 6] = shape.protocol();
    bytes[l3 + 7] = 64;
    for (std::size_t i = 8; i < 40; ++i) bytes[l3 + i] = static_cast<std::uint8_t>(i * 5);
  } else {
    bytes[l3] = static_cast<std::uint8_t>(0x45 + shape.ip_options);
    put16(bytes, l3 + 2, bytes.size() - l3);
    put16(bytes, l3 + 4, kId);
    bytes[l3 + 8] = 64;
    bytes[l3 + 9] = shape.protocol();
    for (std::size_t i = 12; i < 20; ++i) bytes[l3 + i] = static_cast<std::uint8_t>(i * 3);
  }
  put16(bytes, l4, 4000);
  put16(bytes, l4 + 2, 80);
  if (shape.tcp) {
    put16(bytes, l4 + 4, kSequence >> 16);
    put16(bytes, l4 + 6, kSequence & 0xffff);
    bytes[l4 + 12] = static_cast<std::uint8_t>((5 + shape.tcp_options) << 4);
    bytes[l4 + 13] = tcp_flags;
  }
  return bytes;
}

// The receiver's arithmetic, byte by byte: not the code under test.
std::uint16_t plain_sum(const Bytes& bytes, std::size_t from, std::size_t to, std::uint32_t sum = 0) {
  for (std::size_t i = from; i < to; ++i) sum += (i - from) % 2 ? bytes[i] : std::uint32_t{bytes[i]} << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}
std::uint16_t transport_sum(const Bytes& bytes, const Shape& shape) {
  const std::size_t addresses = shape.l3() + (shape.ip6 ? 8 : 12), count = shape.ip6 ? 32 : 8;
  std::uint32_t sum = plain_sum(bytes, addresses, addresses + count);
  sum += shape.protocol();
  sum += static_cast<std::uint32_t>(bytes.size() - shape.l4());
  return plain_sum(bytes, shape.l4(), bytes.size(), sum);
}

class SoftwareOffloadTest : public ::testing::Test {
 protected:
  // Vectors of super-packets would want more buffers than the test's pool has; one test runs them with small ones.
  SoftwareOffloadTest() { node.neighbours_matter = true; }
  void output(const Shape& shape, const Offloads& offloads = {}) {
    tx = node.world.add_interface([&](InterfaceState& s) {
      s.link = shape.ethernet ? LinkLayer::Ethernet : LinkLayer::Ip;
      s.offloads = offloads;
    });
  }
  /// Segments of one super-packet.
  std::vector<Bytes> cut(const Shape& shape, const Bytes& bytes, std::uint16_t gso_size) {
    prepare(shape, gso_size);
    const auto out = node.run({bytes})[0];
    EXPECT_EQ(out, testing::held());
    std::vector<Bytes> segments;
    for (const auto& emitted : out.emitted) segments.push_back(emitted.bytes);
    return segments;
  }
  void prepare(const Shape& shape, std::uint16_t gso_size) {
    node.prepare = [this, shape, gso_size](Packet& packet) {
      packet.tx_interface = tx;
      packet.flags |= kGso | kChecksumPartial;
      packet.gso_type = shape.gso();
      packet.gso_size = gso_size;
      packet.checksum_start = static_cast<std::uint16_t>(packet.offset() + shape.l4());
      packet.checksum_offset = shape.tcp ? 16 : 6;
    };
  }
  void check(const Shape& shape, const std::vector<Bytes>& segments, const Bytes& whole, std::size_t gso_size) {
    const std::size_t size = whole.size() - shape.payload();
    ASSERT_EQ(segments.size(), (size + gso_size - 1) / gso_size);
    std::size_t done = 0;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const Bytes& s = segments[i];
      const std::size_t here = std::min(gso_size, size - done), l3 = shape.l3(), l4 = shape.l4();
      ASSERT_EQ(s.size(), shape.payload() + here);
      EXPECT_TRUE(std::equal(s.begin() + static_cast<std::ptrdiff_t>(shape.payload()), s.end(),
                             whole.begin() + static_cast<std::ptrdiff_t>(shape.payload() + done)));
      EXPECT_EQ(transport_sum(s, shape), 0xffff);
      if (shape.ip6) {
        EXPECT_EQ(get16(s, l3 + 4), s.size() - l3 - 40);
      } else {
        EXPECT_EQ(get16(s, l3 + 2), s.size() - l3);
        EXPECT_EQ(get16(s, l3 + 4), static_cast<std::uint16_t>(kId + i));
        EXPECT_EQ(plain_sum(s, l3, l4), 0xffff);
      }
      if (shape.tcp) {
        EXPECT_EQ(get32(s, l4 + 4), static_cast<std::uint32_t>(kSequence + done));
      } else {
        EXPECT_EQ(get16(s, l4 + 4), 8 + here);
      }
      done += here;
    }
  }

  NodeTest<SoftwareOffload> node;
  InterfaceIndex tx;
};

TEST_F(SoftwareOffloadTest, CutsSuperPacketsOfEveryShapeIntoTrueSegments) {
  std::mt19937 random(7);
  for (const bool ethernet : {false, true}) {
    for (const bool ip6 : {false, true}) {
      for (const bool tcp : {false, true}) {
        for (unsigned variant = 0; variant < 3; ++variant) {
          const Shape shape{ethernet, ip6, tcp, variant, variant * 2, variant * 3};
          output(shape);
          const std::uint16_t gso_size = static_cast<std::uint16_t>(1 + random() % 3000);
          const Bytes whole = super_packet(shape, 1 + random() % 20000);
          check(shape, cut(shape, whole, gso_size), whole, gso_size);
        }
      }
    }
  }
}

TEST_F(SoftwareOffloadTest, CutsTheLargestPacketThereIs) {
  const Shape shape{.ethernet = false};
  output(shape);
  const Bytes whole = super_packet(shape, 65495);
  check(shape, cut(shape, whole, 1448), whole, 1448);
}

TEST_F(SoftwareOffloadTest, TreatsAPacketTheSameAmongOthers) {
  node.neighbours_matter = false;
  const Shape shape;
  output(shape);
  prepare(shape, 100);
  Bytes bad = super_packet(shape, 250);
  bad[shape.l3()] = 0x46;
  const auto out = node.run({super_packet(shape, 250), super_packet(shape, 101), bad});
  EXPECT_EQ(out[0].emitted.size(), 3u);
  EXPECT_EQ(out[1].emitted.size(), 2u);
  EXPECT_EQ(out[2], testing::verdict(SoftwareOffload::Drop::BadHeaders));
}

TEST_F(SoftwareOffloadTest, LeavesFinAndPushToTheLastSegmentAndCwrToTheFirst) {
  const Shape shape;
  output(shape);
  const auto segments = cut(shape, super_packet(shape, 3000, 0x10 | 0x08 | 0x01 | 0x80), 1000);
  ASSERT_EQ(segments.size(), 3u);
  EXPECT_EQ(segments[0][shape.l4() + 13], 0x10 | 0x80);
  EXPECT_EQ(segments[1][shape.l4() + 13], 0x10);
  EXPECT_EQ(segments[2][shape.l4() + 13], 0x10 | 0x08 | 0x01);
}

TEST_F(SoftwareOffloadTest, LeavesTheSumToADeviceThatMakesIt) {
  const Shape shape;
  output(shape, {.tx_checksum = true});
  const auto segments = cut(shape, super_packet(shape, 2000), 1000);
  ASSERT_EQ(segments.size(), 2u);
  // The pseudo header alone is in the field: what remains to be summed is the segment without it.
  Bytes bytes = segments[0];
  const std::uint16_t partial = get16(bytes, shape.l4() + 16);
  EXPECT_EQ(partial, plain_sum(bytes, shape.l3() + 12, shape.l3() + 20, 6 + 1020));
}

TEST_F(SoftwareOffloadTest, KeepsTheOrderOfPacketsBehindASuperPacket) {
  const Shape shape;
  output(shape);
  NodeRuntime runtime;
  runtime.event_counts = std::vector<Counter>(3);
  Worker& worker = node.world.worker();
  worker.begin_pass();
  worker.set_current(&runtime);
  Out<SoftwareOffload> out(runtime, worker);
  prepare(shape, 1000);
  Packet* super = node.world.make(super_packet(shape, 2500));
  node.prepare(*super);
  Packet* plain = node.world.make(super_packet(shape, 10));
  node.prepare(*plain);
  plain->flags = kChecksumPartial;
  EXPECT_EQ(node.kernel(*super, worker, nullptr, out).code(), kVerdictHold);
  EXPECT_EQ(node.kernel(*plain, worker, nullptr, out).code(), kVerdictHold);
  std::vector<std::uint32_t> lengths;
  out.take([&](Packet& packet, std::uint16_t) {
    lengths.push_back(packet.chain_length);
    worker.buffers().free(&packet);
  });
  EXPECT_EQ(lengths, (std::vector<std::uint32_t>{1054, 1054, 554, 64}));
}

TEST_F(SoftwareOffloadTest, MakesTheChecksumOfAPlainPacket) {
  for (const bool tcp : {false, true}) {
    for (const std::size_t size : {0u, 1u, 1471u, 5001u}) {
      const Shape shape{.tcp = tcp};
      output(shape);
      prepare(shape, 0);
      node.prepare = [prepare = node.prepare](Packet& packet) {
        prepare(packet);
        packet.flags = kChecksumPartial;
      };
      Bytes bytes = super_packet(shape, size);
      put16(bytes, shape.l4() + (tcp ? 16 : 6),
            plain_sum(bytes, shape.l3() + 12, shape.l3() + 20,
                      static_cast<std::uint32_t>(shape.protocol() + bytes.size() - shape.l4())));
      if (!tcp) put16(bytes, shape.l4() + 4, 0);
      const auto out = node.run({bytes})[0];
      ASSERT_EQ(out.emitted.size(), 1u);
      EXPECT_EQ(transport_sum(out.emitted[0].bytes, shape), 0xffff) << size;
    }
  }
}

TEST_F(SoftwareOffloadTest, NeverSendsAUdpChecksumOfZero) {
  const Shape shape{.tcp = false};
  output(shape);
  prepare(shape, 0);
  node.prepare = [prepare = node.prepare](Packet& packet) {
    prepare(packet);
    packet.flags = kChecksumPartial;
  };
  Bytes bytes = super_packet(shape, 2);
  // Payload chosen so that everything sums up to all ones.
  put16(bytes, shape.payload(), 0);
  const std::uint16_t sum = plain_sum(bytes, shape.l4(), bytes.size());
  put16(bytes, shape.payload(), static_cast<std::uint16_t>(~sum));
  const auto out = node.run({bytes})[0];
  ASSERT_EQ(out.emitted.size(), 1u);
  EXPECT_EQ(get16(out.emitted[0].bytes, shape.l4() + 6), 0xffff);
}

TEST_F(SoftwareOffloadTest, DropsHeadersThatAreNotWhatTheRequestSays) {
  const Shape shape;
  output(shape);
  const Bytes good = super_packet(shape, 3000);
  std::vector<Bytes> bad(6, good);
  put16(bad[0], 12, 0x0806);       // not IP
  bad[1][shape.l3()] = 0x65;       // IPv6 under TCPv4 segmentation
  bad[2][shape.l3()] = 0x46;       // transport header elsewhere
  bad[3][shape.l3() + 9] = 17;     // another protocol
  bad[4][shape.l4() + 12] = 0x40;  // TCP header of 16 bytes
  bad[5][shape.l3()] = 0x35;       // IP version 3
  prepare(shape, 1000);
  for (const auto& outcome : node.run(bad)) EXPECT_EQ(outcome, testing::verdict(SoftwareOffload::Drop::BadHeaders));
}

TEST_F(SoftwareOffloadTest, DropsAChecksumOutsideThePacket) {
  const Shape shape;
  output(shape);
  node.prepare = [&](Packet& packet) {
    packet.tx_interface = tx;
    packet.flags |= kChecksumPartial;
    packet.checksum_start = static_cast<std::uint16_t>(packet.offset() + 60);
    packet.checksum_offset = 16;
  };
  EXPECT_EQ(node.run({Bytes(70)})[0], testing::verdict(SoftwareOffload::Drop::BadHeaders));
}

TEST_F(SoftwareOffloadTest, DropsWhatHasNoOutputAnyMore) {
  prepare({}, 1000);
  tx = InterfaceIndex(999, 1);
  EXPECT_EQ(node.run({super_packet({}, 3000)})[0], testing::verdict(SoftwareOffload::Drop::NoInterface));
}

TEST_F(SoftwareOffloadTest, CountsASuperPacketThatFindsNoBuffersForAllItsSegments) {
  const Shape shape;
  output(shape);
  prepare(shape, 1000);
  auto& buffers = node.world.worker().buffers();
  std::vector<Packet*> taken;
  while (Packet* packet = buffers.alloc()) taken.push_back(packet);
  for (int i = 0; i < 5; ++i) {
    buffers.free(taken.back());
    taken.pop_back();
  }
  // Three buffers for the packet itself leave two for its five segments.
  const auto out = node.run({super_packet(shape, 5000)})[0];
  EXPECT_EQ(out, testing::verdict(SoftwareOffload::Drop::NoBuffers));
  EXPECT_EQ(out.emitted.size(), 2u);
  for (Packet* packet : taken) buffers.free(packet);
}

}  // namespace
}  // namespace sluice
