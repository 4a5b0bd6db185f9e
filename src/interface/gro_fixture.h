// SPDX-License-Identifier: Apache-2.0
// For the tests of GRO: flows, vectors of their packets, and what our own segmentation makes of what comes out.
#pragma once
#include <gtest/gtest.h>

#include "interface/gro.h"
#include "interface/software_offload.h"
#include "sluice/testing/node_test.h"
#include "sluice/testing/packet_builder.h"

namespace sluice::gro_test {

using testing::Bytes;
using testing::NodeTest;
using testing::PacketBuilder;
using testing::TestWorld;

enum class Sum : std::uint8_t { Unchecked, Valid, Partial, Wrong };

struct Input {
  Bytes bytes;
  std::size_t l4 = 0;  ///< of TCP and UDP
  bool tcp = true;
  Sum sum = Sum::Unchecked;
  std::uint16_t gso_size = 0;
  InterfaceIndex tx{};  ///< another than the usual one
};

inline constexpr std::uint8_t kAck = TcpHeader::kAck;

/// One side of a connection, or of an exchange of datagrams.
struct Flow {
  bool ip6 = false, tcp = true, ethernet = false;
  std::uint16_t port = 4000;
  std::uint32_t sequence = 0xfffff000;
  std::uint16_t id = 0xfffe;
  bool dont_fragment = true;

  PacketBuilder builder(std::size_t size, std::uint8_t flags = kAck) {
    PacketBuilder b;
    if (ethernet) b.ethernet("02::1", "02::2");
    if (ip6) {
      b.ip6("fd00::1", "fd00::2");
    } else {
      b.ip4("10.0.0.1", "10.0.0.2").id(id++);
      if (dont_fragment) b.dont_fragment();
    }
    if (tcp) {
      b.tcp(port, 80, flags, sequence).options({1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2});
      sequence += static_cast<std::uint32_t>(size);
    } else {
      b.udp(port, 80);
    }
    return b.payload_size(size);
  }
  Input input(const PacketBuilder& b) const {
    return {.bytes = b.bytes(), .l4 = (ethernet ? 14u : 0u) + (ip6 ? 40u : 20u), .tcp = tcp};
  }
  Input next(std::size_t size, std::uint8_t flags = kAck) { return input(builder(size, flags)); }
};

/// A packet that came out, and what an output without offloads makes of it.
struct Output {
  Bytes whole;
  std::uint16_t gso_size = 0;
  std::vector<Bytes> segments;
};

class GroTest : public ::testing::Test {
 protected:
  GroTest() {
    // What becomes of a packet is its neighbours' doing: that is the node.
    node.neighbours_matter = true;
    offload.event_counts = std::vector<Counter>(3);
    counts.event_counts = std::vector<Counter>(2);
    use(LinkLayer::Ip, kAll);
  }
  static constexpr Offloads kAll{true, true, true, true};

  void use(LinkLayer link, const Offloads& offloads) {
    tx = node.world.add_interface([&](InterfaceState& s) {
      s.link = link;
      s.offloads = offloads;
    });
    plain = node.world.add_interface([&](InterfaceState& s) { s.link = link; });
  }

  Packet* make(const Input& input) {
    Bytes bytes = input.bytes;
    const std::size_t field = input.l4 + (input.tcp ? 16 : 6);
    if (input.sum == Sum::Wrong) bytes[field] ^= 0x55;
    Packet* packet = node.world.make(bytes);
    packet->tx_interface = input.tx.valid() ? input.tx : tx;
    if (input.sum == Sum::Valid) packet->flags |= kChecksumValid;
    if (input.sum == Sum::Partial || input.gso_size) {
      packet->flags |= kChecksumPartial;
      packet->checksum_start = static_cast<std::uint16_t>(packet->offset() + input.l4);
      packet->checksum_offset = static_cast<std::uint16_t>(field - input.l4);
      const std::uint16_t sum = pseudo(bytes, input);
      std::memcpy(packet->data + field, &sum, sizeof sum);
    }
    if (input.gso_size) {
      packet->flags |= kGso;
      packet->gso_size = input.gso_size;
      packet->gso_type = !input.tcp ? GsoType::UdpL4 : bytes[0] >> 4 == 6 ? GsoType::Tcp6 : GsoType::Tcp4;
    }
    return packet;
  }
  // Folded, of addresses, protocol and length.
  static std::uint16_t pseudo(const Bytes& bytes, const Input& input) {
    const bool ip6 = input.l4 >= 40 && bytes[input.l4 - 40] >> 4 == 6;
    const std::size_t n = ip6 ? 32 : 8;
    const be32 rest[] = {be32(static_cast<std::uint32_t>(bytes.size() - input.l4)), be32(input.tcp ? 6u : 17u)};
    return checksum_fold(checksum_add(checksum_add(0, &bytes[input.l4 - n], n), rest, sizeof rest));
  }

  std::vector<Output> run(const std::vector<Input>& inputs, bool traced = false) {
    Worker& worker = node.world.worker();
    worker.begin_pass();
    worker.set_current(&counts);
    std::vector<Packet*> packets;
    for (const Input& input : inputs) packets.push_back(make(input));
    std::vector<std::uint16_t> codes(packets.size(), 0x7ffe);
    std::vector<Gro::Trace> traces(packets.size());
    Batch<Gro> batch{packets, codes.data(), traced ? traces.data() : nullptr};
    node.kernel(batch, worker);
    std::vector<Output> outputs;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      if (codes[i] == kVerdictHold) continue;
      EXPECT_EQ(codes[i], 0u);
      outputs.push_back(cut(*packets[i], worker));
    }
    return outputs;
  }
  Output cut(Packet& packet, Worker& worker) {
    Output output{TestWorld::bytes_of(packet), packet.has(kGso) ? packet.gso_size : std::uint16_t{0}, {}};
    EXPECT_EQ(output.whole.size(), packet.chain_length);
    worker.set_current(&offload);
    packet.tx_interface = plain;
    Out<SoftwareOffload> out(offload, worker);
    EXPECT_EQ(SoftwareOffload{}(packet, worker, nullptr, out).code(), kVerdictHold);
    out.take([&](Packet& made, std::uint16_t) {
      output.segments.push_back(TestWorld::bytes_of(made));
      worker.buffers().free(&made);
    });
    worker.set_current(&counts);
    return output;
  }
  /// All segments, in order.
  static std::vector<Bytes> flat(const std::vector<Output>& outputs) {
    std::vector<Bytes> all;
    for (const Output& o : outputs) all.insert(all.end(), o.segments.begin(), o.segments.end());
    return all;
  }
  static std::vector<Bytes> bytes_of(const std::vector<Input>& inputs) {
    std::vector<Bytes> all;
    for (const Input& i : inputs) all.push_back(i.bytes);
    return all;
  }
  std::uint64_t count(Gro::Count which) const { return counts.event_counts[static_cast<std::size_t>(which)].get(); }
  /// How many packets two become; they come out as they went in, either way.
  std::size_t pair(const Input& first, const Input& second) {
    const auto out = run({first, second});
    std::vector<Input> expected{first, second};
    for (Input& e : expected) {
      if (e.sum == Sum::Wrong) e.bytes[e.l4 + (e.tcp ? 16 : 6)] ^= 0x55;
    }
    EXPECT_EQ(flat(out), bytes_of(expected));
    return out.size();
  }

  NodeTest<Gro> node;
  NodeRuntime offload, counts;
  InterfaceIndex tx, plain;
};

}  // namespace sluice::gro_test
