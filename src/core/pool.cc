// SPDX-License-Identifier: Apache-2.0
#include "sluice/pool.h"

#include <sys/mman.h>

extern "C" {
#include <hugetlbfs.h>
}

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>

namespace sluice {
namespace {

[[maybe_unused]] constexpr std::uint32_t kAlive = 0xa11fe000;  // in debug builds
constexpr std::uint32_t kFree = 0xf4ee0000;
constexpr std::uint32_t kEmpty = 0xffffffff;
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

std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

std::span<std::byte> map_hugepages(std::size_t bytes, std::string& kind) {
  const long page = gethugepagesize();
  if (page <= 0) {
    kind = "the kernel has no hugepages";
    return {};
  }
  const std::size_t size = round_up(bytes, static_cast<std::size_t>(page));
  const std::size_t needed = size / static_cast<std::size_t>(page);
  std::size_t free_pages = 0;
  std::ifstream(fmt::format("/sys/kernel/mm/hugepages/hugepages-{}kB/free_hugepages", page / 1024)) >> free_pages;
  if (free_pages < needed) {
    kind = fmt::format("{} free hugepages of {} KiB, {} needed: sysctl vm.nr_hugepages={}", free_pages, page / 1024,
                       needed, needed);
    return {};
  }
  void* memory = get_hugepage_region(size, GHR_STRICT);
  if (!memory) {
    kind = fmt::format("libhugetlbfs gave no region of {} MiB", size >> 20);
    return {};
  }
  kind = fmt::format("{} KiB hugepages", page / 1024);
  return {static_cast<std::byte*>(memory), size};
}

}  // namespace

StatusOr<std::unique_ptr<BufferPool>> BufferPool::create(const PoolOptions& options) {
  const std::uint32_t buffers = static_cast<std::uint32_t>(round_up(options.buffers, kBatch));
  std::unique_ptr<BufferPool> pool(new BufferPool);
  const std::size_t bytes = std::size_t{buffers} * kBufferStride;
  std::string why = "hugepages are switched off";
  if (options.hugepages) pool->region_ = map_hugepages(bytes, why);
  pool->from_hugetlbfs_ = !pool->region_.empty();
  if (pool->from_hugetlbfs_) {
    pool->page_kind_ = why;
  } else {
    const std::size_t size = round_up(bytes, std::size_t{2} << 20);
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      return exhausted("{} buffers need {} MiB and the kernel refused them ({}); lower buffers.count", buffers,
                       size >> 20, std::strerror(errno));
    }
    const bool transparent = madvise(memory, size, MADV_HUGEPAGE) == 0;
    pool->region_ = {static_cast<std::byte*>(memory), size};
    pool->page_kind_ =
        fmt::format("ordinary pages{} ({})", transparent ? ", transparent hugepages asked for" : "", why);
  }
  // Packets and keys that pass through must not reach a core file.
  (void)madvise(pool->region_.data(), pool->region_.size(), MADV_DONTDUMP);
  pool->total_ = buffers;
  pool->top_.store(kEmpty, std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < buffers; i += kBatch) {
    for (std::uint32_t j = i; j < i + kBatch; ++j) {
      auto* packet = new (pool->packet(j)) Packet;
      packet->pool_state = kFree;
      packet->pool = 0;
      packet->next_segment = j + 1 < i + kBatch ? pool->packet(j + 1) : nullptr;
    }
    pool->push_batch(pool->packet(i), kBatch);
  }
  return pool;
}

BufferPool::~BufferPool() {
  if (from_hugetlbfs_) {
    free_hugepage_region(region_.data());
  } else if (!region_.empty()) {
    munmap(region_.data(), region_.size());
  }
}

Packet* BufferPool::packet(std::uint32_t index) const {
  return reinterpret_cast<Packet*>(region_.data() + std::size_t{index} * kBufferStride + kMbufSize);
}

std::uint32_t BufferPool::index_of(const Packet* packet) const {
  const auto offset = reinterpret_cast<const std::byte*>(packet) - kMbufSize - region_.data();
  return static_cast<std::uint32_t>(static_cast<std::size_t>(offset) / kBufferStride);
}

// A Treiber stack of batches. The link of a batch that another thread pops at the same moment may be read stale; the
// tag then makes the exchange fail. Buffers are never unmapped, so the read itself is harmless.
void BufferPool::push_batch(Packet* first, std::uint32_t size) noexcept {
  first->trace = size;
  const std::uint32_t index = index_of(first);
  std::uint64_t old = top_.load(std::memory_order_relaxed);
  std::uint64_t wanted;
  do {
    const auto top = static_cast<std::uint32_t>(old);
    std::atomic_ref<Packet*>(first->pool_link).store(top == kEmpty ? nullptr : packet(top), std::memory_order_relaxed);
    wanted = ((old >> 32) + 1) << 32 | index;
  } while (!top_.compare_exchange_weak(old, wanted, std::memory_order_release, std::memory_order_relaxed));
  available_.fetch_add(size, std::memory_order_relaxed);
}

Packet* BufferPool::pop_batch() noexcept {
  std::uint64_t old = top_.load(std::memory_order_acquire);
  for (;;) {
    const auto top = static_cast<std::uint32_t>(old);
    if (top == kEmpty) return nullptr;
    Packet* first = packet(top);
    Packet* below = std::atomic_ref<Packet*>(first->pool_link).load(std::memory_order_relaxed);
    const std::uint64_t wanted = ((old >> 32) + 1) << 32 | (below ? index_of(below) : kEmpty);
    if (top_.compare_exchange_weak(old, wanted, std::memory_order_acquire, std::memory_order_acquire)) {
      available_.fetch_sub(first->trace, std::memory_order_relaxed);
      return first;
    }
  }
}

void BufferPool::join(BufferCache* cache) {
  const std::lock_guard lock(caches_mutex_);
  caches_.push_back(cache);
}

void BufferPool::leave(BufferCache* cache) {
  const std::lock_guard lock(caches_mutex_);
  std::erase(caches_, cache);
}

PoolUsage BufferPool::usage() const {
  PoolUsage usage{};
  usage.total = total_;
  usage.available = static_cast<std::uint64_t>(std::max<std::int64_t>(0, available_.load(std::memory_order_relaxed)));
  const std::lock_guard lock(caches_mutex_);
  for (const BufferCache* cache : caches_) {
    usage.cached += cache->cached();
    usage.exhausted += cache->exhausted();
  }
  const std::uint64_t idle = usage.available + usage.cached;
  usage.used = usage.total > idle ? usage.total - idle : 0;
  return usage;
}

BufferCache::BufferCache(BufferPool& pool) : pool_(pool) { pool_.join(this); }

BufferCache::~BufferCache() {
  while (count_ > 0) spill();
  pool_.leave(this);
}

bool BufferCache::refill() noexcept {
  Packet* packet = pool_.pop_batch();
  if (!packet) {
    exhausted_.add();
    return false;
  }
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
  pool_.push_batch(first, static_cast<std::uint32_t>(size));
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
    if (count_ == 0 && !refill()) break;
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
    while (i < end && !segments[i]->has(kShared)) stack_[count++] = segments[i++];
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
    while (i < end && !packets[i]->next_segment && !packets[i]->has(kShared)) stack_[count++] = packets[i++];
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
