// SPDX-License-Identifier: Apache-2.0
// A hostile far side: any virtio-net header before any packet. What is believed of it must hold, come back out the
// same, be merged with what looks like its continuation, and be cut into segments that lose no byte.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "interface/gro.h"
#include "interface/software_offload.h"
#include "sluice/testing/test_world.h"
#include "sluice/vnet_header.h"

namespace {

using namespace sluice;

void require(bool truth) {
  if (!truth) std::abort();
}

struct World {
  sluice::testing::TestWorld world;
  NodeRuntime node;
  InterfaceIndex layer2, layer3, takes_all2, takes_all3;
  Gro gro;
  World() {
    node.event_counts = std::vector<Counter>(3);
    layer2 = world.add_interface();
    layer3 = world.add_interface([](InterfaceState& s) { s.link = LinkLayer::Ip; });
    takes_all2 = world.add_interface([](InterfaceState& s) { s.offloads = {true, true, true, true}; });
    takes_all3 = world.add_interface([](InterfaceState& s) {
      s.link = LinkLayer::Ip;
      s.offloads = {true, true, true, true};
    });
    world.worker().set_current(&node);
  }
};

void check_believed(const Packet& packet, const VnetHeader& header) {
  if (packet.has(kChecksumPartial)) {
    const std::size_t start = std::size_t{packet.checksum_start} - packet.offset();
    require(packet.checksum_start >= packet.offset() && start + packet.checksum_offset + 2 <= packet.length);
  }
  if (packet.has(kGso)) require(packet.has(kChecksumPartial) && packet.gso_size > 0);
  const VnetHeader out = make_vnet_header(packet);
  if (packet.has(kChecksumPartial)) {
    require(out.checksum_start == header.checksum_start && out.checksum_offset == header.checksum_offset);
  }
  if (packet.has(kGso)) require(out.gso_size == header.gso_size && out.header_length <= packet.length);
}

// Returns how many bytes of payload came out; what was dropped counts whole.
void finish(World& w, Packet* packet) {
  Worker& worker = w.world.worker();
  Out<SoftwareOffload> out(w.node, worker);
  const std::size_t before = packet->chain_length;
  const bool gso = packet->has(kGso);
  SegmentLayout layout;
  const bool known = gso && find_layout(*packet, packet->tx_interface == w.layer2, layout);
  const std::uint16_t code = SoftwareOffload{}(*packet, worker, nullptr, out).code();
  std::size_t after = 0;
  out.take([&](Packet& made, std::uint16_t) {
    require(!made.has(kChecksumPartial) && !made.has(kGso));
    after += made.chain_length - (known ? layout.payload : 0);
    worker.buffers().free(&made);
  });
  if (code == kVerdictHold) {
    require(after == before - (known ? layout.payload : 0));
  } else {
    worker.buffers().free(packet);
  }
}

// The packet as its sender would go on: what GRO looks for, or nearly.
Packet* continuation(World& w, const Packet& packet, const std::vector<std::uint8_t>& bytes, bool ethernet) {
  Packet* next = w.world.make(bytes);
  next->flags = packet.flags;
  next->checksum_start = packet.checksum_start;
  next->checksum_offset = packet.checksum_offset;
  next->gso_type = packet.gso_type;
  next->gso_size = packet.gso_size;
  const GroView view = gro::look(*next, ethernet ? LinkLayer::Ethernet : LinkLayer::Ip, {true, true, true, true});
  if (view.kind != GroView::Kind::Mergeable) return next;
  if (view.tcp) {
    auto& tcp = gro::at<TcpHeader>(*next, view.l4);
    tcp.sequence = be32(tcp.sequence.host() + view.payload);
  }
  if (!view.ip6) {
    auto& ip = gro::at<Ip4Header>(*next, view.l3);
    ip.id = be16(segment_id(ip, view.segments()));
    ip.checksum.raw = 0;
    ip.checksum.raw = checksum_finish(checksum_add(0, &ip, sizeof ip));
  }
  return next;
}

void merge(World& w, Packet* packet, Packet* next, bool ethernet) {
  std::array<Packet*, 2> packets{packet, next};
  std::array<std::uint16_t, 2> codes{};
  const std::size_t before = packet->chain_length + next->chain_length;
  for (Packet* p : packets) p->tx_interface = ethernet ? w.takes_all2 : w.takes_all3;
  Batch<Gro> batch{packets, codes.data(), nullptr};
  w.gro(batch, w.world.worker());
  require(codes[0] == 0 && (codes[1] == 0 || codes[1] == kVerdictHold));
  if (codes[1] == kVerdictHold) {
    SegmentLayout layout;
    require(packet->has(kGso) && packet->has(kChecksumPartial) && find_layout(*packet, ethernet, layout));
    require(packet->chain_length + layout.payload == before && packet->chain_length <= 65535 + 22);
    require(sluice::testing::TestWorld::bytes_of(*packet).size() == packet->chain_length);
  } else {
    w.world.worker().buffers().free(next);
  }
  packet->tx_interface = ethernet ? w.layer2 : w.layer3;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World w;
  VnetHeader header;
  if (size < 2 + sizeof header) return 0;
  const bool ethernet = (data[0] & 1) != 0;
  const std::size_t segment_size = 1 + data[1] * std::size_t{8};
  std::memcpy(&header, data + 2, sizeof header);
  const std::span bytes(data + 2 + sizeof header, size - 2 - sizeof header);
  if (bytes.empty()) return 0;
  // The payload is stretched, so that short inputs make long packets too.
  std::vector<std::uint8_t> packet_bytes(bytes.begin(), bytes.end());
  if ((data[0] & 2) != 0) packet_bytes.resize(packet_bytes.size() + 5000, 0xa5);
  // Out hands a full vector on to a graph, and there is none here: what is looked at is what fits one vector.
  if (packet_bytes.size() * 2 / std::max<std::size_t>(header.gso_size, 1) >= kVectorMax) return 0;
  Packet* packet = w.world.make(packet_bytes, std::max<std::size_t>(segment_size, 64));
  packet->tx_interface = ethernet ? w.layer2 : w.layer3;
  if (!apply_vnet_header(header, *packet)) {
    w.world.worker().buffers().free(packet);
    return 0;
  }
  check_believed(*packet, header);
  if ((data[0] & 4) != 0) merge(w, packet, continuation(w, *packet, packet_bytes, ethernet), ethernet);
  finish(w, packet);
  return 0;
}
