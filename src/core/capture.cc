// SPDX-License-Identifier: Apache-2.0
#include "sluice/capture.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "sluice/net/ethernet.h"
#include "sluice/worker.h"

namespace sluice {
namespace {

// Records lie at multiples of their size, so that in front of the ring's end there is always room for one.
constexpr std::size_t kUnit = sizeof(CaptureRecord);
static_assert(std::has_single_bit(kUnit) && std::is_trivially_copyable_v<CaptureRecord>);
constexpr std::uint32_t kGoOnAtBegin = ~std::uint32_t{0};  // as `kept`

constexpr std::size_t room_for(std::size_t kept) { return kUnit + (kept + kUnit - 1) / kUnit * kUnit; }

void copy(const std::byte* begin, const Packet& packet, std::size_t n, std::byte* to) noexcept {
  std::size_t here = static_cast<std::size_t>(packet.data - begin) + packet.length;
  for (const Packet* segment = &packet;;) {
    here = std::min(here, n);
    std::memcpy(to, begin, here);
    to += here;
    n -= here;
    segment = segment->next_segment;
    if (n == 0 || !segment) return;
    begin = segment->data;
    here = segment->length;
  }
}

/// A packet with its link-layer header, as its interface has it on the wire.
struct OnLink {
  InterfaceIndex interface;
  LinkLayer link;
  bool outbound;
  const std::byte* begin;
};

LinkLayer link_of(const Worker& worker, InterfaceIndex index, LinkLayer otherwise) noexcept {
  const InterfaceState* state = worker.interface(index);
  return state ? state->link : otherwise;
}

/// A dropped packet as far back as its headers are known. On the way out it has the output's link layer, and before
/// that the one it came with.
OnLink find_headers(const Worker& worker, const Packet& packet) noexcept {
  const std::uint16_t l2 = packet.l2_offset, l3 = packet.l3_offset;
  std::uint16_t begin = packet.offset();
  if (l2 && l2 == begin && packet.tx_interface.valid()) {
    const LinkLayer known = l3 == l2 ? LinkLayer::Ip : LinkLayer::Ethernet;
    return {packet.tx_interface, link_of(worker, packet.tx_interface, known), true, packet.data};
  }
  if (l3 && l3 < begin) begin = l3;
  if (l2 && l2 < begin) begin = l2;
  const bool outbound = !packet.rx_interface.valid();
  const InterfaceIndex interface = outbound ? packet.tx_interface : packet.rx_interface;
  LinkLayer link = link_of(worker, interface, LinkLayer::Ip);
  if (l3 && begin == l3) {
    link = LinkLayer::Ip;
  } else if (l2 && begin == l2) {
    link = LinkLayer::Ethernet;
  }
  return {interface, link, outbound, packet.storage() + begin};
}

void keep(const CaptureState& state, CaptureRing& ring, const OnLink& on, const Packet& packet,
          CaptureRecord record) noexcept {
  const auto before = static_cast<std::size_t>(packet.data - on.begin);
  const std::span<const std::byte> head(on.begin, before + packet.length);
  record.length = static_cast<std::uint32_t>(before) + packet.chain_length;
  const bool matches = on.link == LinkLayer::Ip ? state.ip.matches(head, record.length + sizeof(EthernetHeader))
                                                : state.ethernet.matches(head, record.length);
  if (!matches) return;
  record.interface = on.interface;
  record.link = on.link;
  record.outbound = on.outbound;
  record.kept = std::min(record.length, state.snap);
  ring.add(record, on.begin, packet);
}

}  // namespace

// Zeroed, so that the workers find its pages mapped.
CaptureRing::CaptureRing(std::size_t bytes) : mask_(bytes - 1), memory_(new std::byte[bytes]()) {}

bool CaptureRing::make_room(std::size_t bytes) noexcept {
  if (next_ + bytes - head_seen_ <= mask_ + 1) return true;
  head_seen_ = head_.load(std::memory_order_acquire);
  return next_ + bytes - head_seen_ <= mask_ + 1;
}

void CaptureRing::add(const CaptureRecord& record, const std::byte* begin, const Packet& packet) noexcept {
  const std::size_t size = room_for(record.kept);
  const std::size_t left = mask_ + 1 - (next_ & mask_);
  const std::size_t skipped = size > left ? left : 0;
  if (!make_room(skipped + size)) {
    ++lost_;
    return;
  }
  if (skipped) {
    CaptureRecord skip;
    skip.kept = kGoOnAtBegin;
    std::memcpy(&memory_[next_ & mask_], &skip, kUnit);
    next_ += skipped;
  }
  std::byte* to = &memory_[next_ & mask_];
  std::memcpy(to, &record, kUnit);
  copy(begin, packet, record.kept, to + kUnit);
  next_ += size;
}

std::optional<CaptureRing::Entry> CaptureRing::front() noexcept {
  const std::uint64_t tail = tail_.load(std::memory_order_acquire);
  std::uint64_t head = head_.load(std::memory_order_relaxed);
  if (head == tail) return {};
  Entry entry;
  std::memcpy(&entry.record, &memory_[head & mask_], kUnit);
  if (entry.record.kept == kGoOnAtBegin) {
    head += mask_ + 1 - (head & mask_);
    head_.store(head, std::memory_order_release);
    std::memcpy(&entry.record, &memory_[0], kUnit);  // committed together
  }
  entry.bytes = {&memory_[head & mask_] + kUnit, entry.record.kept};
  return entry;
}

void CaptureRing::pop() noexcept {
  const std::uint64_t head = head_.load(std::memory_order_relaxed);
  CaptureRecord record;
  std::memcpy(&record, &memory_[head & mask_], kUnit);
  head_.store(head + room_for(record.kept), std::memory_order_release);
}

void Worker::capture_received(NodeIndex node, std::span<Packet* const> packets) noexcept {
  if (!capture_->received) return;
  CaptureRing& ring = *capture_->rings[index_];
  for (const Packet* packet : packets) {
    // What a packet generator puts into a node was received by no interface.
    const InterfaceState* in = interface(packet->rx_interface);
    if (!in || !capture_->wants(packet->rx_interface)) continue;
    keep(*capture_, ring, {in->index, in->link, false, packet->data}, *packet,
         {.when = now_, .interface = {}, .node = node, .event = CaptureEvent::Received});
  }
  ring.commit();
}

void Worker::capture_dropped(NodeIndex node, std::uint16_t reason, const Packet& packet) noexcept {
  if (!capture_->dropped) return;
  if (!capture_->wants(packet.rx_interface) && !capture_->wants(packet.tx_interface)) return;
  CaptureRing& ring = *capture_->rings[index_];
  keep(*capture_, ring, find_headers(*this, packet), packet,
       {.when = now_, .interface = {}, .node = node, .reason = reason, .event = CaptureEvent::Dropped});
  ring.commit();
}

std::size_t Worker::transmit_captured(TxQueue& queue, std::span<Packet* const> packets) noexcept {
  const InterfaceState* out = interface(packets[0]->tx_interface);
  if (!capture_->sent || !out || !capture_->wants(out->index)) return queue.transmit(*this, packets);
  CaptureRing& ring = *capture_->rings[index_];
  // The queue owns the packets that it takes, so all are copied before it is asked.
  std::array<CaptureRing::Mark, kVectorMax + 1> marks;
  marks[0] = ring.mark();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    keep(*capture_, ring, {out->index, out->link, true, packets[i]->data}, *packets[i],
         {.when = now_, .interface = {}, .node = current()->index, .event = CaptureEvent::Sent});
    marks[i + 1] = ring.mark();
  }
  const std::size_t taken = queue.transmit(*this, packets);
  ring.rewind(marks[taken]);
  ring.commit();
  return taken;
}

}  // namespace sluice
