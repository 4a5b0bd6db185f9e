// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/buffer_state.h"
#include "sluice/pool.h"

namespace sluice {
namespace {

// Where DPDK keeps an mbuf's reference count.
constexpr std::size_t kMbufRefcount = 18;

std::atomic_ref<std::uint16_t> owners(Packet& segment) {
  auto* mbuf = reinterpret_cast<std::byte*>(&segment) - kMbufSize;
  return std::atomic_ref<std::uint16_t>(*reinterpret_cast<std::uint16_t*>(mbuf + kMbufRefcount));
}

#ifdef SLUICE_DEBUG
[[noreturn]] void die(const char* what, const Packet* packet) {
  std::fprintf(stderr, "buffer %p: %s\n", static_cast<const void*>(packet), what);
  std::abort();
}
#endif

}  // namespace

BufferCache::BufferCache(BufferPool& pool, unsigned part)
    : pool_(pool),
      part_(part),
      home_(pool.part(part).region.data()),
      home_size_(pool.part(part).region.size()),
      foreign_(pool.parts() > 1 ? pool.parts() : 0),
      cached_(pool.parts()) {
  // A CPU guesses that the next packet lies as far on as the last one did, and fetches it. Where that is another
  // worker's, it takes lines away that this one is writing; so each has a stretch of its own, as long as a vector.
  const std::size_t own = std::min(kOwnStretch, pool.part(part).buffers / kShares);
  while (count_ + BufferPool::kBatch <= own && refill()) {
  }
  publish_count();
  pool_.join(this);
}

BufferCache::~BufferCache() {
  while (count_ > 0) spill();
  for (std::size_t i = 0; i < foreign_.size(); ++i) push_foreign(i);
  pool_.leave(this);
}

void BufferCache::publish_count() noexcept {
  cached_[part_].set(count_);
  for (std::size_t i = 0; i < foreign_.size(); ++i) {
    if (i != part_) cached_[i].set(foreign_[i].count);
  }
}

bool BufferCache::refill() noexcept {
  Packet* packet = pool_.parts_[part_]->pop_batch();
  if (!packet) return false;
  for (; packet; packet = packet->next_segment) stack_[count_++] = packet;
  return true;
}

void BufferCache::spill() noexcept {
  Packet* first = nullptr;
  const std::size_t size = std::min(count_, BufferPool::kBatch);
  for (std::size_t i = 0; i < size; ++i) {
    Packet* packet = stack_[--count_];
    packet->next_segment = first;
    first = packet;
  }
  pool_.parts_[part_]->push_batch(first, static_cast<std::uint32_t>(size));
}

/// Memory of another node is slow; a lost packet is lost.
Packet* BufferCache::borrow() noexcept {
  for (std::size_t i = 0; i < foreign_.size(); ++i) {
    Foreign& other = foreign_[i];
    if (i == part_) continue;
    if (!other.first) {
      other.first = pool_.parts_[i]->pop_batch();
      for (const Packet* packet = other.first; packet; packet = packet->next_segment) ++other.count;
    }
    if (!other.first) continue;
    Packet* packet = other.first;
    other.first = packet->next_segment;
    --other.count;
    borrowed_.add();
    take(packet);
    return packet;
  }
  exhausted_.add();
  return nullptr;
}

void BufferCache::send_home(Packet* packet) noexcept {
  Foreign& home = foreign_[packet->pool];
  packet->next_segment = home.first;
  home.first = packet;
  if (++home.count == BufferPool::kBatch) push_foreign(packet->pool);
}

void BufferCache::push_foreign(std::size_t part) noexcept {
  Foreign& home = foreign_[part];
  if (home.first) pool_.parts_[part]->push_batch(home.first, home.count);
  home = {};
}

void BufferCache::take(Packet* packet) noexcept {
#ifdef SLUICE_DEBUG
  if (packet->pool_state != kFree) die("allocated while in use", packet);
  packet->pool_state = kAlive;
#endif
  packet->reset();
}

std::size_t BufferCache::alloc(std::span<Packet*> out) noexcept {
  std::size_t n = 0;
  for (; n < out.size(); ++n) {
    if (count_ == 0 && !refill()) {
      if (!(out[n] = borrow())) break;
      continue;
    }
    out[n] = stack_[--count_];
    take(out[n]);
  }
  return n;
}

void BufferCache::take_peeked(std::size_t n) noexcept {
#ifdef SLUICE_DEBUG
  for (std::size_t i = count_ - n; i < count_; ++i) {
    if (stack_[i]->pool_state != kFree) die("allocated while in use", stack_[i]);
    stack_[i]->pool_state = kAlive;
  }
#endif
  count_ -= n;
}

void BufferCache::free_segments(std::span<Packet* const> segments) noexcept {
#ifdef SLUICE_DEBUG
  for (Packet* segment : segments) free_segment(segment);
#else
  for (std::size_t i = 0; i < segments.size();) {
    if (count_ == kCapacity) spill();
    const std::size_t end = std::min(segments.size(), i + kCapacity - count_);
    std::size_t count = count_;
    while (i < end && !segments[i]->has(kShared) && is_home(segments[i])) stack_[count++] = segments[i++];
    count_ = count;
    if (i < end) free_segment(segments[i++]);
  }
#endif
}

void BufferCache::free_segment(Packet* packet) noexcept {
  if (packet->has(kShared)) [[unlikely]] {
    if (owners(*packet).fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    packet->flags &= ~kShared;
  }
#ifdef SLUICE_DEBUG
  if (packet->pool_state != kAlive) die(packet->pool_state == kFree ? "freed twice" : "was overwritten", packet);
  packet->pool_state = kFree;
#endif
  if (!is_home(packet)) [[unlikely]]
    return send_home(packet);
  if (count_ == kCapacity) spill();
  stack_[count_++] = packet;
}

void BufferCache::free(std::span<Packet* const> packets) noexcept {
#ifdef SLUICE_DEBUG
  for (Packet* packet : packets) free(packet);
#else
  for (std::size_t i = 0; i < packets.size();) {
    if (count_ == kCapacity) spill();
    const std::size_t end = std::min(packets.size(), i + kCapacity - count_);
    std::size_t count = count_;
    while (i < end && !packets[i]->next_segment && !packets[i]->has(kShared) && is_home(packets[i]))
      stack_[count++] = packets[i++];
    count_ = count;
    if (i < end) free(packets[i++]);
  }
#endif
}

void share_segment(Packet& segment) noexcept {
  if (segment.has(kShared)) {
    owners(segment).fetch_add(1, std::memory_order_relaxed);
    return;
  }
  segment.flags |= kShared;
  owners(segment).store(2, std::memory_order_relaxed);
}

}  // namespace sluice
