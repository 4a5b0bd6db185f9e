// SPDX-License-Identifier: Apache-2.0
// Fragments, made and put together, and what is refused.
#include <gtest/gtest.h>

#include "ip/ip4_fragment.h"
#include "ip/ip4_reassembly.h"
#include "ip/ip6_fragment.h"
#include "ip/ip6_reassembly.h"
#include "ip/test_packets.h"

namespace sluice {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)

struct Fragment4 : ::testing::Test {
  NodeTest<Ip4Fragment> node;
  std::uint32_t mtu = 576;
  Fragment4() {
    node.prepare = [this](Packet& packet) { packet.icmp_error.mtu_or_pointer = mtu; };
  }
};

TEST_F(Fragment4, CopiesOnlyTheOptionsThatAreToBeCopied) {
  const Bytes options{7, 4, 4, 0, 0x94, 4, 0, 0};  // record route, router alert
  auto out = node.run({ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(1000), 64, 0, options)})[0];
  EXPECT_EQ(out, verdict(Ip4Fragment::Next::Ip4Rewrite));
  ASSERT_EQ(out.emitted.size(), 1u);
  EXPECT_EQ(out.bytes[0], 0x47);
  EXPECT_EQ(out.emitted[0].bytes[0], 0x46);
  EXPECT_EQ(out.emitted[0].bytes[20], 0x94);
  EXPECT_TRUE(header_checksum_right(out.bytes));
  EXPECT_TRUE(header_checksum_right(out.emitted[0].bytes));
}

TEST_F(Fragment4, KeepsOffsetAndMoreOfAPacketThatIsAFragmentItself) {
  auto out = node.run({ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(1000), 64, 0x2000 | 100)})[0];
  ASSERT_EQ(out.emitted.size(), 1u);
  EXPECT_EQ(as<Ip4Header>(out.bytes).fragment.host(), 0x2000 | 100);
  EXPECT_EQ(as<Ip4Header>(out.emitted[0].bytes).fragment.host(), 0x2000 | (100 + 552 / 8));
}

TEST_F(Fragment4, NamesWhatItCannotDo) {
  using Drop = Ip4Fragment::Drop;
  mtu = 27;
  EXPECT_EQ(node.run({ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(1000))})[0], verdict(Drop::MtuTooSmall));
  mtu = 28;
  node.neighbours_matter = true;
  EXPECT_EQ(node.run({ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(2100))})[0], verdict(Drop::TooManyFragments));
  mtu = 576;
  Packet* packet = node.world.make(ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(1000)), 24);
  packet->icmp_error.mtu_or_pointer = mtu;
  NodeRuntime runtime;
  Out<Ip4Fragment> out(runtime, node.world.worker());
  EXPECT_EQ(node.kernel(*packet, node.world.worker(), nullptr, out), Ip4Fragment::Verdict(Drop::ShortHead));
  node.world.worker().buffers().free(packet);
}

TEST_F(Fragment4, GivesAllBuffersBackWhenThereAreTooFew) {
  mtu = 68;
  Packet* packet = node.world.make(ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(1000)));
  packet->icmp_error.mtu_or_pointer = mtu;
  std::vector<Packet*> taken;
  while (Packet* p = node.world.worker().buffers().alloc()) taken.push_back(p);
  for (int i = 0; i < 3; ++i) {
    node.world.worker().buffers().free(taken.back());
    taken.pop_back();
  }
  NodeRuntime runtime;
  {
    Out<Ip4Fragment> out(runtime, node.world.worker());
    EXPECT_EQ(node.kernel(*packet, node.world.worker(), nullptr, out),
              Ip4Fragment::Verdict(Ip4Fragment::Drop::NoBuffers));
  }
  for (Packet* p : taken) node.world.worker().buffers().free(p);
  node.world.worker().buffers().free(packet);
}

TEST(Fragment6, NamesWhatItCannotDo) {
  NodeTest<Ip6Fragment> node;
  node.neighbours_matter = true;
  using Drop = Ip6Fragment::Drop;
  std::uint32_t mtu = 55;
  std::size_t room = kHeadroom;
  node.prepare = [&](Packet& packet) {
    packet.icmp_error.mtu_or_pointer = mtu;
    const std::size_t shift = packet.headroom() - room;
    std::memmove(packet.data - shift, packet.data, packet.length);
    packet.data -= shift;
  };
  const Bytes packet = ip6_packet("fd00::1", "fd00::2", 17, payload(1900));
  EXPECT_EQ(node.run({packet})[0], verdict(Drop::MtuTooSmall));
  mtu = 56;
  EXPECT_EQ(node.run({ip6_packet("fd00::1", "fd00::2", 17, payload(2100))})[0], verdict(Drop::TooManyFragments));
  mtu = 1280;
  EXPECT_EQ(node.run({ip6_packet("fd00::1", "fd00::2", 17, payload(7))})[0], verdict(Drop::ShortHead));
  room = 7;
  EXPECT_EQ(node.run({packet})[0], verdict(Drop::NoHeadroom));
}

Bytes piece4(std::size_t offset, std::size_t length, bool more, std::uint16_t id = 1) {
  Bytes packet = ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(length), 64,
                            static_cast<std::uint16_t>(offset / 8 | (more ? 0x2000 : 0)));
  as<Ip4Header>(packet).id = be16(id);
  set_header_checksum(as<Ip4Header>(packet));
  return packet;
}
Bytes piece6(std::size_t offset, std::size_t length, bool more, std::uint32_t id = 1) {
  const Ip6FragmentHeader header{17, 0, be16(static_cast<std::uint16_t>(offset | (more ? 1 : 0))), be32(id)};
  return ip6_packet("fd00::1", "fd00::2", kIpProtocolFragment, wire(header) + payload(length));
}

struct Reassembly4 : ::testing::Test {
  NodeTest<Ip4Reassembly> node;
  Reassembly4() { node.neighbours_matter = true; }
  Outcome give(const Bytes& packet) {
    node.prepare = [](Packet& p) { p.rx_interface = InterfaceIndex{0, 1}; };
    return node.run({packet})[0];
  }
};

TEST_F(Reassembly4, JoinsFragmentsInEveryOrder) {
  const std::vector<Bytes> pieces{piece4(0, 16, true), piece4(16, 8, true), piece4(24, 5, false)};
  std::vector<int> order{0, 1, 2};
  do {
    EXPECT_EQ(give(pieces[static_cast<std::size_t>(order[0])]), held());
    EXPECT_EQ(give(pieces[static_cast<std::size_t>(order[1])]), held());
    auto last = give(pieces[static_cast<std::size_t>(order[2])]);
    EXPECT_EQ(last, held());
    ASSERT_EQ(last.emitted.size(), 1u);
    EXPECT_EQ(last.emitted[0].bytes, [] {
      Bytes whole = ip4_packet("10.0.0.1", "10.0.0.2", 17, payload(16) + payload(8) + payload(5));
      as<Ip4Header>(whole).id = be16(std::uint16_t{1});
      set_header_checksum(as<Ip4Header>(whole));
      return whole;
    }());
    EXPECT_EQ(node.kernel.held(), 0u);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(Reassembly4, RefusesWhatOverlapsWithAllThatBelongsToIt) {
  using Drop = Ip4Reassembly::Drop;
  const std::pair<Bytes, Bytes> overlaps[] = {
      {piece4(0, 16, true, 1), piece4(8, 16, true, 1)},  {piece4(16, 16, true, 2), piece4(8, 16, true, 2)},
      {piece4(8, 8, false, 3), piece4(16, 8, true, 3)},  {piece4(16, 8, true, 4), piece4(8, 8, false, 4)},
      {piece4(8, 8, false, 5), piece4(16, 8, false, 5)}, {piece4(8, 8, true, 6), piece4(8, 8, false, 6)},
      {piece4(0, 16, true, 7), piece4(0, 8, true, 7)},
  };
  for (const auto& [first, second] : overlaps) {
    EXPECT_EQ(give(first), held());
    EXPECT_EQ(give(second), verdict(Drop::Overlap));
    EXPECT_EQ(give(first), verdict(Drop::Overlap)) << "the datagram stays spoilt";
  }
  EXPECT_EQ(node.kernel.fragments.held_fragments(), 0u);
}

TEST_F(Reassembly4, DropsADuplicateOnly) {
  EXPECT_EQ(give(piece4(0, 16, true)), held());
  EXPECT_EQ(give(piece4(0, 16, true)), verdict(Ip4Reassembly::Drop::Duplicate));
  EXPECT_EQ(give(piece4(16, 16, false)).emitted.size(), 1u);
}

TEST_F(Reassembly4, DropsLengthsThatCannotBe) {
  EXPECT_EQ(give(piece4(0, 15, true)), verdict(Ip4Reassembly::Drop::BadLength));
  EXPECT_EQ(give(piece4(8, 0, false)), verdict(Ip4Reassembly::Drop::BadLength));
  EXPECT_EQ(give(piece4(65528, 8, false)), verdict(Ip4Reassembly::Drop::TooLong));
}

TEST_F(Reassembly4, IsBoundedInFragmentsAndInDatagrams) {
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(give(piece4(i * 8, 8, true, 1)), held());
  EXPECT_EQ(give(piece4(64 * 8, 8, true, 1)), verdict(Ip4Reassembly::Drop::TooMany));
  for (std::uint16_t id = 2; id <= 256; ++id) EXPECT_EQ(give(piece4(0, 8, true, id)), held());
  EXPECT_EQ(give(piece4(0, 8, true, 257)), verdict(Ip4Reassembly::Drop::TooMany));
  EXPECT_EQ(node.kernel.held(), 256u);
}

TEST_F(Reassembly4, GivesUpAfterThirtySecondsAndTellsIfItHasTheFirst) {
  EXPECT_EQ(give(piece4(0, 16, true, 1)), held());
  EXPECT_EQ(give(piece4(16, 16, true, 2)), held());
  Worker& worker = node.world.worker();
  NodeRuntime runtime;
  runtime.event_counts = std::vector<Counter>(2);
  worker.set_current(&runtime);
  const auto pass = [&](std::uint64_t ns) {
    std::size_t told = 0;
    worker.set_now(tsc() + ns_to_tsc(ns));
    Out<Ip4Reassembly> out(runtime, worker);
    node.kernel.release(worker, out);
    out.take([&](Packet& packet, std::uint16_t) {
      ++told;
      EXPECT_EQ(packet.icmp_error.type, kIcmpTimeExceeded);
      EXPECT_EQ(packet.icmp_error.code, 1);
      worker.buffers().free(&packet);
    });
    return told;
  };
  EXPECT_EQ(pass(29'000'000'000), 0u);
  EXPECT_EQ(node.kernel.held(), 2u);
  EXPECT_EQ(pass(31'000'000'000), 1u);
  EXPECT_EQ(node.kernel.held(), 0u);
}

struct Reassembly6 : ::testing::Test {
  NodeTest<Ip6Reassembly> node;
  Reassembly6() { node.neighbours_matter = true; }
  Outcome give(const Bytes& packet) { return node.run({packet})[0]; }
};

TEST_F(Reassembly6, JoinsAndTakesTheFragmentHeaderOut) {
  EXPECT_EQ(give(piece6(16, 5, false)), held());
  auto last = give(piece6(0, 16, true));
  ASSERT_EQ(last.emitted.size(), 1u);
  EXPECT_EQ(last.emitted[0].bytes, ip6_packet("fd00::1", "fd00::2", 17, payload(16) + payload(5)));
}

TEST_F(Reassembly6, TakesAnAtomicFragmentAsItIs) {
  EXPECT_EQ(give(piece6(0, 8, true)), held());
  EXPECT_EQ(give(piece6(0, 20, false)),
            verdict(Ip6Reassembly::Next::Ip6Local).with(ip6_packet("fd00::1", "fd00::2", 17, payload(20))));
  EXPECT_EQ(node.kernel.held(), 1u);
}

TEST_F(Reassembly6, NamesWhatItRefuses) {
  using Drop = Ip6Reassembly::Drop;
  EXPECT_EQ(give(piece6(0, 16, true, 1)), held());
  EXPECT_EQ(give(piece6(0, 16, true, 1)), verdict(Drop::Duplicate));
  EXPECT_EQ(give(piece6(8, 16, true, 1)), verdict(Drop::Overlap));
  EXPECT_EQ(give(piece6(8, 0, true, 2)), verdict(Drop::BadLength));
  EXPECT_EQ(give(piece6(8, 9, true, 3)), verdict(Ip6Reassembly::Next::Ip6IcmpError));
  EXPECT_EQ(give(piece6(65528, 16, false, 4)), verdict(Ip6Reassembly::Next::Ip6IcmpError));
  EXPECT_EQ(give(ip6_packet("fd00::1", "fd00::2", 17, payload(20))), verdict(Drop::BadHeaders));
  for (std::uint32_t id = 10; node.kernel.held() < 256; ++id) EXPECT_EQ(give(piece6(0, 8, true, id)), held());
  EXPECT_EQ(give(piece6(0, 8, true, 9999)), verdict(Drop::TooMany));
}

}  // namespace
}  // namespace sluice
